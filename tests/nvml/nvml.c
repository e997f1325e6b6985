/* A management library of cards that are not there, for tests of the real pynvml.
 *
 * The scene is named by the variable NVML_SCENE; each is one row of `scenes`. Only the functions that
 * the product asks for exist, as in NVML's header: what is missing here is missing in pynvml too.
 * Compiled with -DOLD_DRIVER it lacks what drivers before 510 lack. NVML_ASKED names a file that gets
 * one line for each start of the library; NVML_USER_PID is the process of scene `neighbour`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long bytes_t;
typedef struct { bytes_t total, free, used; } memory_t;
typedef struct { unsigned pid; bytes_t used; unsigned gpu_instance, compute_instance; } process_t;

enum {
  SUCCESS = 0,
  INVALID_ARGUMENT = 2,
  NOT_SUPPORTED = 3,
  NO_PERMISSION = 4,
  NOT_FOUND = 6,
  INSUFFICIENT_SIZE = 7,
  DRIVER_NOT_LOADED = 9,
  GPU_IS_LOST = 15,
  VERSION_MISMATCH = 18,
  UNKNOWN = 999
};

#define MIB(n) ((bytes_t)(n) << 20)
#define UNSAID (~(bytes_t)0)
#define HEAT 0x20ull  /* clocksEventReasonSwThermalSlowdown */
#define POWER 0x04ull /* clocksEventReasonSwPowerCap */

typedef struct {
  const char *name;
  int init, count_error, handle_error, question_error, memory_error, detail_error;
  unsigned cards;
  bytes_t total, used, process;     /* bytes; `process` is what each process is said to hold */
  unsigned computing, drawing, pid; /* processes, and the id of the first */
  int mig_mode;
  unsigned mig_devices;
  unsigned celsius;
  bytes_t reasons;
  int no_power_limit;
} scene_t;

#define CARD .cards = 1, .total = MIB(8188), .used = MIB(17), .celsius = 55
#define H100 .cards = 1, .total = MIB(81559), .used = MIB(500), .celsius = 40

static const scene_t scenes[] = {
    {"laptop", CARD, .used = MIB(1100), .drawing = 20, .pid = 4000000, .process = UNSAID, .no_power_limit = NOT_SUPPORTED},
    {"linux", CARD, .used = MIB(327), .drawing = 1, .pid = 4000000, .process = MIB(310)},
    {"two", CARD, .cards = 2},
    {"mig", H100, .memory_error = NO_PERMISSION, .mig_mode = 1, .mig_devices = 2},
    {"mig-empty", H100, .memory_error = NO_PERMISSION, .mig_mode = 1},
    {"nonsense", CARD, .used = MIB(8252), .computing = 1, .pid = 4000000, .process = MIB(1 << 20)},
    {"no-total", CARD, .total = 0, .used = 0},
    {"unsaid", CARD, .total = UNSAID, .used = UNSAID},
    {"unsupported", CARD, .memory_error = NOT_SUPPORTED, .detail_error = NOT_SUPPORTED},
    {"unified", CARD, .memory_error = NOT_SUPPORTED},
    {"lost", CARD, .handle_error = GPU_IS_LOST},
    {"lost-later", CARD, .question_error = GPU_IS_LOST},
    {"gone", .init = DRIVER_NOT_LOADED},
    {"mismatch", .init = VERSION_MISMATCH},
    {"uncounted", .count_error = UNKNOWN},
    {"neighbour", CARD, .used = MIB(3089), .computing = 1, .process = MIB(3072)},
    {"container", CARD, .used = MIB(3089), .computing = 2, .pid = 1, .process = MIB(1536)},
    {"hot", CARD, .celsius = 87, .reasons = HEAT | POWER},
    {"full", CARD, .used = MIB(8000), .computing = 1, .pid = 4000000, .process = MIB(7983)},
};

static const scene_t *scene(void) {
  const char *name = getenv("NVML_SCENE");
  for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
    if (name && !strcmp(name, scenes[i].name)) return &scenes[i];
  fprintf(stderr, "NVML_SCENE: no scene of this name\n");
  abort();
}

/* Handles are numbers: 1 and up for cards, 101 and up for the MIG devices of the first card. */
static unsigned number(void *device) { return (unsigned)(size_t)device; }
static int is_mig(void *device) { return number(device) > 100; }
static void *handle(unsigned n) { return (void *)(size_t)n; }
static int write_text(char *to, unsigned room, const char *text) {
  snprintf(to, room, "%s", text);
  return SUCCESS;
}

int nvmlInitWithFlags(unsigned flags) {
  const char *path = getenv("NVML_ASKED");
  FILE *asked = path ? fopen(path, "a") : NULL;
  (void)flags;
  if (asked) {
    fprintf(asked, "started\n");
    fclose(asked);
  }
  return scene()->init;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return code == UNKNOWN ? "Unknown Error" : "an error"; }
int nvmlSystemGetDriverVersion(char *to, unsigned room) { return write_text(to, room, "580.95.05"); }

int nvmlDeviceGetCount_v2(unsigned *count) {
  *count = scene()->cards;
  return scene()->count_error;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  if (scene()->handle_error) return scene()->handle_error;
  if (index >= scene()->cards) return INVALID_ARGUMENT;
  *device = handle(index + 1);
  return SUCCESS;
}

int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *later) {
  (void)device;
  if (scene()->question_error) return scene()->question_error;
  if (!scene()->mig_mode) return NOT_SUPPORTED;
  *now = *later = 1;
  return SUCCESS;
}
int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count) {
  (void)device;
  *count = scene()->mig_mode ? 7 : 0;
  return SUCCESS;
}
/* Every other slot is empty, as after MIG devices were made and destroyed. */
int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned index, void **mig) {
  (void)device;
  if (index % 2 == 0 || index / 2 >= scene()->mig_devices) return NOT_FOUND;
  *mig = handle(101 + index / 2);
  return SUCCESS;
}

int nvmlDeviceGetName(void *device, char *to, unsigned room) {
  if (scene()->question_error) return scene()->question_error;
  if (is_mig(device)) return write_text(to, room, "NVIDIA H100 80GB HBM3 MIG 1g.10gb");
  if (scene()->mig_mode) return write_text(to, room, "NVIDIA H100 80GB HBM3");
  if (number(device) == 2) return write_text(to, room, "NVIDIA GeForce RTX 4090");
  return write_text(to, room, "NVIDIA GeForce RTX 4060 Laptop GPU");
}
int nvmlDeviceGetUUID(void *device, char *to, unsigned room) {
  char text[64];
  if (scene()->question_error) return scene()->question_error;
  snprintf(text, sizeof text, "%s-%04x0000-1111-2222-3333-444444444444", is_mig(device) ? "MIG" : "GPU",
           0xa000 + number(device));
  return write_text(to, room, text);
}
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
  if (scene()->question_error) return scene()->question_error;
  if (is_mig(device)) {
    *memory = (memory_t){MIB(9856), MIB(9800), MIB(56)};
    return SUCCESS;
  }
  if (scene()->memory_error) return scene()->memory_error;
  memory->total = number(device) == 2 ? MIB(24564) : scene()->total;
  memory->used = scene()->used;
  memory->free = scene()->total == UNSAID ? UNSAID : memory->total - memory->used; /* may wrap round */
  return SUCCESS;
}
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
  (void)device;
  if (scene()->question_error) return scene()->question_error;
  *major = scene()->mig_mode ? 9 : 8;
  *minor = scene()->mig_mode ? 0 : 9;
  return scene()->detail_error;
}

/* What a card has and its MIG devices have not. */
static int detail(void *device) {
  if (scene()->question_error) return scene()->question_error;
  return is_mig(device) ? NOT_SUPPORTED : scene()->detail_error;
}
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius) {
  (void)sensor;
  *celsius = scene()->celsius;
  return detail(device);
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
  *milliwatts = 54321;
  return detail(device);
}
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts) {
  *milliwatts = 115000;
  return scene()->no_power_limit ? scene()->no_power_limit : detail(device);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, bytes_t *reasons) {
  *reasons = scene()->reasons;
  return detail(device);
}

static int list(void *device, unsigned count, unsigned *room, process_t *to) {
  const char *pid = getenv("NVML_USER_PID");
  unsigned first = scene()->pid ? scene()->pid : (unsigned)atoi(pid ? pid : "1");
  if (detail(device)) return detail(device);
  if (number(device) != 1) count = 0;
  if (count && (!to || *room < count)) {
    *room = count;
    return INSUFFICIENT_SIZE;
  }
  for (unsigned i = 0; i < count; i++) to[i] = (process_t){first + i, scene()->process, ~0u, ~0u};
  *room = count;
  return SUCCESS;
}
#ifdef OLD_DRIVER
#define COMPUTING nvmlDeviceGetComputeRunningProcesses_v2
#define DRAWING nvmlDeviceGetGraphicsRunningProcesses_v2
#else
#define COMPUTING nvmlDeviceGetComputeRunningProcesses_v3
#define DRAWING nvmlDeviceGetGraphicsRunningProcesses_v3
int nvmlDeviceGetCurrentClocksEventReasons(void *device, bytes_t *reasons) {
  *reasons = scene()->reasons;
  return detail(device);
}
#endif
int COMPUTING(void *device, unsigned *room, process_t *to) {
  return list(device, scene()->computing, room, to);
}
int DRAWING(void *device, unsigned *room, process_t *to) {
  return list(device, scene()->drawing, room, to);
}
