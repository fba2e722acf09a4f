/* A postprocessor in C: labels near the border of the volume become background.
 *
 *   cc -std=c11 -O2 -shared -fPIC -I plugin-api/include -o libclear_border.so examples/c-postprocessor/clear_border.c
 *   nnunet --plugin ./libclear_border.so apply_postprocessing -i predictions -o cleared \
 *       --postprocessor ClearBorder --parameters 'margin = 2'
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nnunet_plugin.h"

struct clear_border {
    size_t margin;
};

static void *create(const char *config, const struct NnunetHost *host, struct NnunetError *error) {
    (void)host;
    long margin = 1;
    const char *given = strstr(config, "\"margin\":");
    size_t keys = 0;
    for (const char *c = config; *c; c++)
        keys += *c == ':';
    if (keys > (given ? 1 : 0)) {
        snprintf(error->text, sizeof error->text, "unknown parameter in %.200s; `margin` is known", config);
        return NULL;
    }
    if (given && sscanf(given + strlen("\"margin\":"), "%ld", &margin) != 1)
        margin = -1;
    if (margin < 0) {
        snprintf(error->text, sizeof error->text, "parameter `margin`: a whole number of voxels is needed");
        return NULL;
    }
    struct clear_border *self = malloc(sizeof *self);
    if (!self) {
        snprintf(error->text, sizeof error->text, "no memory");
        return NULL;
    }
    self->margin = (size_t)margin;
    return self;
}

static bool near_end(size_t place, size_t length, size_t margin) {
    return place < margin || place + margin >= length;
}

static int32_t apply(void *object, struct NnunetLabels *labels, struct NnunetError *error) {
    (void)error;
    const struct clear_border *self = object;
    const size_t *shape = labels->shape;
    for (size_t z = 0; z < shape[0]; z++)
        for (size_t y = 0; y < shape[1]; y++)
            for (size_t x = 0; x < shape[2]; x++)
                if (near_end(z, shape[0], self->margin) || near_end(y, shape[1], self->margin) ||
                    near_end(x, shape[2], self->margin))
                    labels->voxels[(z * shape[1] + y) * shape[2] + x] = 0;
    return 0;
}

static const struct NnunetComponent clear_border = {
    .size = sizeof(struct NnunetComponent),
    .info = "{\"kind\": \"postprocessor\", \"name\": \"ClearBorder\","
            " \"summary\": \"Background within some voxels of the border.\", \"defaults\": {\"margin\": 1},"
            " \"schema\": {\"properties\": {\"margin\": {\"type\": \"integer\", \"minimum\": 0,"
            " \"description\": \"Labels within this many voxels of the border are removed.\"}}}}",
    .create = create,
    .destroy = free,
    .apply = apply,
};

static const struct NnunetComponent *const components[] = {&clear_border};

NNUNET_PLUGIN("clear-border", "0.1.0", "Apache-2.0", components)
