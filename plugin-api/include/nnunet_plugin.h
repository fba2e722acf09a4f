/* The C interface of nnunet's plugins. Generated from plugin-api/core/src/abi; do not edit. */

#ifndef NNUNET_PLUGIN_H
#define NNUNET_PLUGIN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#ifndef DLPACK_DLPACK_H_
typedef struct { uint32_t major; uint32_t minor; } DLPackVersion;
typedef struct { int32_t device_type; int32_t device_id; } DLDevice;
typedef struct { uint8_t code; uint8_t bits; uint16_t lanes; } DLDataType;
typedef struct {
  void *data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape;
  int64_t *strides;
  uint64_t byte_offset;
} DLTensor;
typedef struct DLManagedTensorVersioned {
  DLPackVersion version;
  void *manager_ctx;
  void (*deleter)(struct DLManagedTensorVersioned *self);
  uint64_t flags;
  DLTensor dl_tensor;
} DLManagedTensorVersioned;
#endif


// Plugins of another major cannot be used.
#define NNUNET_ABI_MAJOR 1

// Flags of a plugin in C: nothing unwinds out of it, and it has a table instead of a root module.
#define NNUNET_FLAGS_OF_C 9

// Room for the message of an error, its end mark included.
#define NNUNET_ERROR_CAPACITY 1024

// What an array has.
#define NNUNET_CONTENT_IMAGE 0

// As `CONTENT_IMAGE`: labels, of which no new ones may arise.
#define NNUNET_CONTENT_LABELS 1

// As `CONTENT_IMAGE`: the scores of a class.
#define NNUNET_CONTENT_SCORES 2

// Text in the plugin's image: pointer and length of UTF-8 that lives as long as the image.
struct NnunetText {
  const uint8_t *data;
  size_t len;
};

// What a plugin says of itself before it is used. Frozen: fields are only ever added at the end.
struct NnunetHandshake {
  uint8_t magic[8];
  uint32_t size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t flags;
  struct NnunetText name;
  struct NnunetText version;
  struct NnunetText licence;
  struct NnunetText api_version;
  struct NnunetText rustc;
  struct NnunetText target;
  struct NnunetText libtorch;
  struct NnunetText libtorch_cxx_abi;
};

// Where a function that fails leaves its message: UTF-8 with an end mark.
struct NnunetError {
  // Bytes of this struct.
  size_t size;
  // The message.
  char text[NNUNET_ERROR_CAPACITY];
};

// What the host does for a plugin. Valid as long as the process.
struct NnunetHost {
  // Bytes of this struct.
  size_t size;
  // Writes a line to the run's log.
  void (*log)(const char *message);
  // Shows how far something is.
  void (*progress)(const char *what, uint64_t done, uint64_t of);
  // Whether the user asked to stop.
  bool (*cancelled)(void);
  // Start of all random numbers of the run.
  uint64_t (*seed)(void);
};

// A label map, changed in place. Arrays are in C order, (z, y, x).
struct NnunetLabels {
  // Bytes of this struct.
  size_t size;
  // One byte a voxel.
  uint8_t *voxels;
  // Voxels, (z, y, x).
  size_t shape[3];
  // Voxel size, mm, (z, y, x).
  double spacing[3];
};

// Foreground intensities of the data set in one channel.
struct NnunetIntensities {
  // Bytes of this struct.
  size_t size;
  // Mean.
  double mean;
  // Standard deviation.
  double sd;
  // Minimum.
  double minimum;
  // Maximum.
  double maximum;
  // Median.
  double median;
  // 0.5th percentile.
  double percentile_00_5;
  // 99.5th percentile.
  double percentile_99_5;
};

// One channel of an image, normalized in place.
struct NnunetChannel {
  // Bytes of this struct.
  size_t size;
  // Intensities, (z, y, x).
  float *voxels;
  // Labels on the same grid; -1 outside the nonzero mask.
  const float *seg;
  // Voxels, (z, y, x).
  size_t shape[3];
  // Index of the channel, from 0.
  size_t channel;
  // Look only where `seg` is not negative, and set the rest to 0.
  bool use_mask;
  // Of the data set; null when they are not known.
  const struct NnunetIntensities *intensities;
};

// A training sample, changed in place.
struct NnunetSample {
  // Bytes of this struct.
  size_t size;
  // Intensities, (channels, z, y, x).
  float *data;
  // Labels, (channels, z, y, x); -1 outside the nonzero mask.
  float *seg;
  // Channels of `data` and of `seg`.
  size_t channels[2];
  // Voxels, (z, y, x).
  size_t shape[3];
  // Random bits: equal ones must give equal results.
  uint64_t random;
  // 2 when the network sees slices, else 3. Since 1.2, like what follows.
  size_t dimensions;
  // The first axis is coarse: rotate, scale and deform within slices only.
  bool dummy_2d;
  // Foreground labels: 1 to this.
  size_t num_labels;
};

// Size and place of an image: (x, y, z) order, LPS world, mm, as ITK has them.
struct NnunetGeometry {
  // Bytes of this struct.
  size_t size;
  // Number of voxels along each axis; x runs fastest in memory.
  size_t voxels[3];
  // Voxel size.
  double spacing[3];
  // World position of the first voxel.
  double origin[3];
  // Direction cosines, row-major.
  double direction[9];
};

// Takes an image that is read.
struct NnunetSink {
  // Bytes of this struct.
  size_t size;
  // The host's; handed back to `allocate`.
  void *context;
  // Memory of the host for an image of this geometry, all zero; null when there is not enough. Called once.
  float *(*allocate)(void *context, const struct NnunetGeometry *geometry);
};

// A change of grid, (z, y, x). Since 1.4.
struct NnunetGridChange {
  // Bytes of this struct.
  size_t size;
  // Voxels afterwards.
  size_t shape[3];
  // Voxel size before, mm.
  double from[3];
  // Voxel size afterwards, mm.
  double to[3];
};

// Takes a text. Since 1.4.
struct NnunetTextSink {
  // Bytes of this struct.
  size_t size;
  // The host's; handed back to `put`.
  void *context;
  // Copies the text, which has an end mark. Called once.
  void (*put)(void *context, const char *text);
};

// A component. Functions of other kinds are null. An object may be used by several threads at once. Functions return 0,
// or another number after they have left a message.
struct NnunetComponent {
  // Bytes of this struct.
  size_t size;
  // JSON: `kind` (`postprocessor`, `normalization`, `augmentation`, `format`, `splitter` or `resampler`), `name`,
  // `summary`; also `description`, `defaults`, `schema`, `example`, `capabilities`.
  const char *info;
  // Makes an object from its parameters (JSON object); null after a message was left.
  void *(*create)(const char *config, const struct NnunetHost *host, struct NnunetError *error);
  // Ends an object.
  void (*destroy)(void *object);
  // Postprocessors.
  int32_t (*apply)(void *object, struct NnunetLabels *labels, struct NnunetError *error);
  // Normalizations.
  int32_t (*normalize)(void *object, struct NnunetChannel *channel, struct NnunetError *error);
  // Augmentations: the sample keeps its size.
  int32_t (*augment)(void *object, struct NnunetSample *sample, struct NnunetError *error);
  // Formats with the capability `reads .ENDING`.
  int32_t (*read)(void *object,
                  const char *path,
                  const struct NnunetSink *sink,
                  struct NnunetError *error);
  // Formats with the capability `writes .ENDING`.
  int32_t (*write)(void *object,
                   const char *path,
                   const float *voxels,
                   const struct NnunetGeometry *geometry,
                   struct NnunetError *error);
  // Splitters: `cases` is a JSON list of objects with `name` and `values`; a list of objects with `train` and `val` goes to
  // `folds`. Since 1.4, like what follows.
  int32_t (*split)(void *object,
                   const char *cases,
                   const struct NnunetTextSink *folds,
                   struct NnunetError *error);
  // Resamplers: an image has the axes (channels, z, y, x), labels and scores have (z, y, x). The new array is the host's
  // from then on, which frees it with its deleter; the given one stays the host's.
  int32_t (*resample)(void *object,
                      int32_t content,
                      const DLManagedTensorVersioned *array,
                      const struct NnunetGridChange *change,
                      DLManagedTensorVersioned **result,
                      struct NnunetError *error);
};

// All components of a plugin: the symbol `NNUNET_PLUGIN_C_V1`.
struct NnunetPlugin {
  // Bytes of this struct.
  size_t size;
  // How many there are.
  size_t count;
  // The components.
  const struct NnunetComponent *const *components;
};

#endif  /* NNUNET_PLUGIN_H */


#if defined(__x86_64__) && defined(__linux__)
#define NNUNET_TARGET "x86_64-unknown-linux-gnu"
#elif defined(__aarch64__) && defined(__linux__)
#define NNUNET_TARGET "aarch64-unknown-linux-gnu"
#endif

#define NNUNET_TEXT(text) { (const uint8_t *)(text), sizeof(text) - 1 }

/* Write it once: name, version and licence are literals, the last is an array of pointers to components. */
#define NNUNET_PLUGIN(name, version, licence, components)                                                  \
  const struct NnunetHandshake NNUNET_PLUGIN_HANDSHAKE = {                                                 \
      {'N', 'N', 'U', 'N', 'E', 'T', 'P', 'L'}, sizeof(struct NnunetHandshake), NNUNET_ABI_MAJOR, 2,       \
      NNUNET_FLAGS_OF_C, NNUNET_TEXT(name), NNUNET_TEXT(version), NNUNET_TEXT(licence), NNUNET_TEXT("C"),  \
      NNUNET_TEXT(__VERSION__), NNUNET_TEXT(NNUNET_TARGET), NNUNET_TEXT(""), NNUNET_TEXT("")};             \
  const struct NnunetPlugin NNUNET_PLUGIN_C_V1 = {sizeof(struct NnunetPlugin),                             \
                                                  sizeof(components) / sizeof(*(components)), (components)};
