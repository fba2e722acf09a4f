/* A resampler and a splitter in C: the nearest voxel, and every second case for validation. Arrays are DLPack's.
 *
 *   cc -std=c11 -O2 -shared -fPIC -I plugin-api/include -o libnearest.so examples/c-arrays/nearest.c
 *   nnunet --plugin ./libnearest.so split -t 4 -s Alternating
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nnunet_plugin.h"

static void *create(const char *config, const struct NnunetHost *host, struct NnunetError *error) {
    (void)config;
    (void)host;
    void *self = malloc(1);
    if (!self)
        snprintf(error->text, sizeof error->text, "no memory");
    return self;
}

static int32_t fail(struct NnunetError *error, const char *message) {
    snprintf(error->text, sizeof error->text, "%s", message);
    return 1;
}

/* An array of one's own: the struct, then shape and strides, then the values. */
struct owned {
    DLManagedTensorVersioned managed;
    int64_t shape[4], strides[4];
    float values[];
};

static void delete_owned(DLManagedTensorVersioned *self) { free(self); }

static int32_t resample(void *object, int32_t content, const DLManagedTensorVersioned *array,
                        const struct NnunetGridChange *change, DLManagedTensorVersioned **result,
                        struct NnunetError *error) {
    (void)object;
    (void)content; /* The nearest voxel serves images, labels and scores. */
    const DLTensor *from = &array->dl_tensor;
    const size_t axes = (size_t)from->ndim, first = axes - 3;
    const size_t channels = first ? (size_t)from->shape[0] : 1;
    const size_t voxels = change->shape[0] * change->shape[1] * change->shape[2];
    struct owned *made = malloc(sizeof *made + channels * voxels * sizeof(float));
    if (!made)
        return fail(error, "no memory");
    made->managed = *array;
    made->managed.manager_ctx = NULL;
    made->managed.deleter = delete_owned;
    made->managed.flags = 0;
    made->managed.dl_tensor.data = made->values;
    made->managed.dl_tensor.byte_offset = 0;
    made->managed.dl_tensor.shape = made->shape;
    made->managed.dl_tensor.strides = made->strides;
    for (size_t axis = 0; axis < axes; axis++)
        made->shape[axis] = axis < first ? (int64_t)channels : (int64_t)change->shape[axis - first];
    for (size_t axis = axes; axis-- > 0;)
        made->strides[axis] = axis + 1 == axes ? 1 : made->strides[axis + 1] * made->shape[axis + 1];
    const float *values = (const float *)((const char *)from->data + from->byte_offset);
    float *to = made->values;
    for (size_t c = 0; c < channels; c++)
        for (size_t z = 0; z < change->shape[0]; z++)
            for (size_t y = 0; y < change->shape[1]; y++)
                for (size_t x = 0; x < change->shape[2]; x++) {
                    const size_t at[3] = {z, y, x};
                    int64_t place = first ? (int64_t)c * from->strides[0] : 0;
                    for (size_t axis = 0; axis < 3; axis++) {
                        const int64_t length = from->shape[first + axis];
                        const int64_t near = (int64_t)((2 * at[axis] + 1) * (size_t)length / (2 * change->shape[axis]));
                        place += near * from->strides[first + axis];
                    }
                    *to++ = values[place];
                }
    *result = &made->managed;
    return 0;
}

/* The length of a JSON string whose first character is after the quotation mark. */
static size_t length_of(const char *text) {
    size_t length = 0;
    while (text[length] && text[length] != '"')
        length += text[length] == '\\' ? 2 : 1;
    return length;
}

/* Two folds: the cases of odd and of even places. A column of the user's table must not be called "name". */
static int32_t split(void *object, const char *cases, const struct NnunetTextSink *folds, struct NnunetError *error) {
    (void)object;
    const char *key = "\"name\":\"";
    char *lists[4], *text = malloc(3 * strlen(cases) + 256);
    for (int i = 0; i < 4; i++)
        lists[i] = calloc(strlen(cases) + 1, 1);
    if (!text || !lists[0] || !lists[1] || !lists[2] || !lists[3])
        return fail(error, "no memory");
    int place = 0;
    for (const char *at = cases; (at = strstr(at, key)); place++) {
        at += strlen(key);
        for (int fold = 0; fold < 2; fold++) {
            char *list = lists[2 * fold + (place % 2 == fold)];
            sprintf(list + strlen(list), "%s\"%.*s\"", *list ? "," : "", (int)length_of(at), at);
        }
    }
    sprintf(text, "[{\"train\":[%s],\"val\":[%s]},{\"train\":[%s],\"val\":[%s]}]", lists[0], lists[1], lists[2], lists[3]);
    folds->put(folds->context, text);
    for (int i = 0; i < 4; i++)
        free(lists[i]);
    free(text);
    return 0;
}

static const struct NnunetComponent nearest = {
    .size = sizeof(struct NnunetComponent),
    .info = "{\"kind\": \"resampler\", \"name\": \"NearestVoxel\", \"summary\": \"The nearest voxel.\"}",
    .create = create,
    .destroy = free,
    .resample = resample,
};

static const struct NnunetComponent alternating = {
    .size = sizeof(struct NnunetComponent),
    .info = "{\"kind\": \"splitter\", \"name\": \"Alternating\", \"summary\": \"Two folds of every second case.\"}",
    .create = create,
    .destroy = free,
    .split = split,
};

static const struct NnunetComponent *const components[] = {&nearest, &alternating};

NNUNET_PLUGIN("nearest", "0.1.0", "Apache-2.0", components)
