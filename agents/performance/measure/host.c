#include "measure/host.h"

#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define SYSTEM_FILE_MAX ((size_t)4 * 1024 * 1024)
#define SWAP_WARN_KB    65536
#define STEAL_WARN_PCT  2.0

// Files of /proc say they are empty, so file_read's size check does not fit; this one reads up to a maximum.
static char *read_system(const char *root, const char *path)
{
    AUTO_FREE char *full = str_printf("%s%s", root, path);
    FILE *f = fopen(full, "re");
    if (!f)
        return NULL;
    struct buf b = BUF_MAX(SYSTEM_FILE_MAX);
    char chunk[4096];
    size_t n;
    while (!b.cut && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        buf_add(&b, chunk, n);
    fclose(f);
    return buf_steal(&b);
}

static char *read_trimmed(const char *root, const char *path)
{
    char *text = read_system(root, path);
    if (!text)
        return NULL;
    char *copy = str_dup(str_trim(text));
    mem_free(text);
    return copy;
}

// Value behind "key : " or "key: " of the first such line; owned by the caller.
static char *field(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (strncmp(line, key, n) != 0)
            continue;
        const char *p = line + n;
        while (*p == ' ' || *p == '\t')
            p++;
        if (*p++ != ':')
            continue;
        AUTO_FREE char *value = str_ndup(p, strcspn(p, "\n"));
        return str_dup(str_trim(value));
    }
    return NULL;
}

static int64_t field_kb(const char *text, const char *key)
{
    AUTO_FREE char *v = field(text, key);
    return v ? strtoll(v, NULL, 10) : -1;
}

static void warn(json_t *o, const char *text)
{
    json_add_str(json_list(o, "warnings"), text);
}

static void put_text(json_t *o, const char *key, const char *s)
{
    json_put(o, key, s ? json_text_new(s, strlen(s)) : json_null());
}

static void check_cpu(json_t *o, const char *root)
{
    AUTO_FREE char *info = read_system(root, "/proc/cpuinfo");
    AUTO_FREE char *model = info ? field(info, "model name") : NULL;
    if (info && !model)
        model = field(info, "Processor"); // ARM
    int64_t cores = 0;
    for (const char *p = info; p && (p = strstr(p, "processor\t")) != NULL; p++)
        cores++;
    struct utsname u;
    bool known = uname(&u) == 0;
    put_text(o, "cpu", model);
    json_put(o, "cores", cores ? json_integer(cores) : json_null());
    put_text(o, "kernel", known ? u.release : NULL);
    put_text(o, "arch", known ? u.machine : NULL);
    if (cores == 1)
        warn(o, "only one processor: everything else that runs is in the measurement");
}

static void check_frequency(json_t *o, const char *root)
{
    AUTO_FREE char *governor = read_trimmed(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    AUTO_FREE char *no_turbo = read_trimmed(root, "/sys/devices/system/cpu/intel_pstate/no_turbo");
    AUTO_FREE char *boost = read_trimmed(root, "/sys/devices/system/cpu/cpufreq/boost");
    put_text(o, "governor", governor);
    bool known = no_turbo || boost;
    bool on = no_turbo ? str_eq(no_turbo, "0") : str_eq(boost, "1");
    json_put(o, "boost", known ? json_boolean(on) : json_null());
    if (governor && !str_eq(governor, "performance")) {
        AUTO_FREE char *text = str_printf(
            "the frequency governor is \"%s\": clock rates follow the load; \"performance\" is steadier", governor);
        warn(o, text);
    }
}

static void check_load(json_t *o, const char *root)
{
    AUTO_FREE char *load = read_system(root, "/proc/loadavg");
    AUTO_FREE char *memory = read_system(root, "/proc/meminfo");
    double load1 = load ? strtod(load, NULL) : -1;
    json_put(o, "load1", load ? json_real(load1) : json_null());
    int64_t total = memory ? field_kb(memory, "MemTotal") : -1;
    int64_t swap = memory ? field_kb(memory, "SwapTotal") : -1, swap_free = memory ? field_kb(memory, "SwapFree") : -1;
    json_put(o, "memory_kb", total >= 0 ? json_integer(total) : json_null());
    bool swap_known = swap >= 0 && swap_free >= 0;
    json_put(o, "swap_used_kb", swap_known ? json_integer(swap - swap_free) : json_null());
    if (load1 > 0.5 * (double)json_int(o, "cores", 1)) {
        AUTO_FREE char *text =
            str_printf("other work is running (load %.1f on %lld processors): expect more pairs until a verdict", load1,
                       (long long)json_int(o, "cores", 1));
        warn(o, text);
    }
    if (swap_known && swap - swap_free > SWAP_WARN_KB) {
        AUTO_FREE char *text =
            str_printf("%lld MB are swapped out: memory is short", (long long)((swap - swap_free) / 1024));
        warn(o, text);
    }
}

static void check_steal(json_t *o, const char *root)
{
    AUTO_FREE char *stat = read_system(root, "/proc/stat");
    double v[8] = {0}, total = 0;
    const char *p = stat && str_starts(stat, "cpu ") ? stat + 4 : NULL;
    for (size_t i = 0; p && i < ARRAY_LEN(v); i++) {
        char *end;
        v[i] = strtod(p, &end);
        total += v[i];
        p = end > p ? end : NULL;
    }
    double steal = total > 0 ? 100 * v[7] / total : 0;
    json_put(o, "steal_pct", total > 0 ? json_real(steal) : json_null());
    if (steal > STEAL_WARN_PCT) {
        AUTO_FREE char *text = str_printf(
            "the hypervisor gave %.1f %% of the processor time to others: trust CPU time more than wall time", steal);
        warn(o, text);
    }
}

static const char *virt_of(const char *vendor, const char *product)
{
    static const struct {
        const char *mark, *name;
    } KNOWN[] = {{"KVM", "kvm"},
                 {"QEMU", "qemu"},
                 {"VMware", "vmware"},
                 {"VirtualBox", "virtualbox"},
                 {"innotek", "virtualbox"},
                 {"Xen", "xen"},
                 {"Amazon EC2", "amazon"},
                 {"Google Compute", "google"},
                 {"Microsoft Corporation", "hyper-v"},
                 {"Parallels", "parallels"},
                 {"OpenStack", "openstack"}};
    for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++)
        if ((vendor && strstr(vendor, KNOWN[i].mark)) || (product && strstr(product, KNOWN[i].mark)))
            return KNOWN[i].name;
    return NULL;
}

static void check_virt(json_t *o, const char *root)
{
    AUTO_FREE char *vendor = read_trimmed(root, "/sys/class/dmi/id/sys_vendor");
    AUTO_FREE char *product = read_trimmed(root, "/sys/class/dmi/id/product_name");
    AUTO_FREE char *info = read_system(root, "/proc/cpuinfo");
    AUTO_FREE char *flags = info ? field(info, "flags") : NULL;
    const char *virt = virt_of(vendor, product);
    if (!virt && flags && strstr(flags, " hypervisor"))
        virt = "unknown hypervisor";
    AUTO_FREE char *docker = str_printf("%s/.dockerenv", root);
    AUTO_FREE char *container = read_trimmed(root, "/run/systemd/container");
    put_text(o, "virt", info || vendor ? (virt ? virt : "none") : NULL);
    put_text(o, "container", container ? container : file_exists(docker) ? "docker" : NULL);
    if (virt)
        warn(o, "a virtual machine: neighbours take time away unseen; CPU time is the primary metric");
}

static void check_rights(json_t *o, const char *root)
{
    AUTO_FREE char *paranoid = read_trimmed(root, "/proc/sys/kernel/perf_event_paranoid");
    AUTO_FREE char *aslr = read_trimmed(root, "/proc/sys/kernel/randomize_va_space");
    int64_t level = 2;
    bool known = paranoid && str_to_i64(paranoid, &level);
    json_put(o, "perf_paranoid", known ? json_integer(level) : json_null());
    json_put_flag(o, "perf_user", known && level <= 2);
    json_put_flag(o, "perf_kernel", known && level <= 1);
    json_put(o, "aslr", aslr ? json_boolean(!str_eq(aslr, "0")) : json_null());
    if (!known)
        warn(o, "this kernel has no perf events: profiles come from callgrind");
    else if (level > 2)
        warn(
            o,
            "perf is closed to users here (perf_event_paranoid above 2): profiles need it at 2 or lower, or callgrind");
}

json_t *host_check_new(const char *root)
{
    json_t *o = json_object();
    json_put(o, "warnings", json_array());
    check_cpu(o, root);
    check_frequency(o, root);
    check_load(o, root);
    check_steal(o, root);
    check_virt(o, root);
    check_rights(o, root);
    return o;
}

void host_fingerprint(const json_t *host, char out[65])
{
    AUTO_FREE char *text =
        str_printf("%s|%lld|%s|%s", json_str(host, "cpu", "?"), (long long)json_int(host, "cores", 0),
                   json_str(host, "arch", "?"), json_str(host, "virt", "?"));
    hash_bytes(text, strlen(text), out);
}
