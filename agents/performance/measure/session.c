// The formats of a session. What comes back from the box is read with bounds: a program that is measured runs beside
// the one that writes it.
#include "measure/session.h"

#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

static const char *const KINDS[] = {"command", "criterion", "printed"};

static json_t *texts_new(const char *const *list)
{
    json_t *out = json_array();
    for (; list && *list; list++)
        json_add_str(out, *list);
    return out;
}

json_t *session_json_new(const struct session *s)
{
    json_t *o = json_object(), *commands = json_array(), *homes = json_array();
    json_put_str(o, "kind", KINDS[s->kind]);
    json_put_str(o, "id", s->id);
    json_put_str(o, "metric", ab_metric_name(s->metric));
    for (int i = 0; i < 3 && s->command[i]; i++) {
        json_array_append_new(commands, texts_new(s->command[i]));
        json_add_str(homes, s->home[i] ? s->home[i] : "");
    }
    json_put(o, "commands", commands);
    json_put(o, "homes", homes);
    json_put_str(o, "cwd", s->cwd);
    json_t *cwds = json_array();
    for (int i = 0; i < 3 && s->cwd_of[i]; i++)
        json_add_str(cwds, s->cwd_of[i]);
    json_put(o, "cwds", cwds);
    json_put(o, "env", texts_new(s->env));
    json_put_str(o, "stdin", s->stdin_path);
    json_put_flag(o, "ignore_output", s->ignore_output);
    json_put_num(o, "warm_up_s", s->warm_up_s);
    json_put_num(o, "measurement_s", s->measurement_s);
    json_put_int(o, "samples", s->samples);
    json_put_int(o, "samples_min", s->samples_min);
    json_put_int(o, "max_wall_ns", s->max_wall_ns);
    json_put_num(o, "theta", s->theta);
    json_put_int(o, "seed", (int64_t)s->seed);
    return o;
}

// NULL-terminated, the texts are borrowed; NULL when it is no list of texts.
static const char **texts_of(const json_t *list)
{
    size_t i, n = json_array_size(list);
    json_t *text;
    if (!json_is_array(list) || n > RUNNER_ARGS_MAX)
        return NULL;
    const char **out = mem_array(n + 1, sizeof(*out));
    json_array_foreach (list, i, text) {
        out[i] = json_string_value(text);
        if (!out[i]) {
            mem_free(out);
            return NULL;
        }
    }
    return out;
}

static int read_sides(const json_t *v, struct session *s, struct err *err)
{
    const json_t *commands = json_list(v, "commands"), *homes = json_list(v, "homes"), *cwds = json_list(v, "cwds");
    size_t n = json_array_size(commands);
    if (n < 1 || n > 3)
        return err_set(err, ERR_INVALID, "a session has %zu commands, expected 1 to 3", n);
    for (size_t i = 0; i < n; i++) {
        s->command[i] = texts_of(json_array_get(commands, i));
        s->home[i] = json_string_value(json_array_get(homes, i));
        s->cwd_of[i] = json_string_value(json_array_get(cwds, i));
        if (!s->command[i] || !s->command[i][0])
            return err_set(err, ERR_INVALID, "command %zu of a session is not a list of words", i);
    }
    s->env = texts_of(json_list(v, "env"));
    return s->env ? 0 : err_set(err, ERR_INVALID, "'env' of a session is not a list of texts");
}

static double positive(const json_t *v, const char *key, double most)
{
    double n = json_num(v, key, 0);
    return isfinite(n) && n > 0 && n < most ? n : 0;
}

int session_parse(const json_t *v, struct session **ret, struct err *err)
{
    const char *kind = json_str(v, "kind", "");
    struct session *s = mem_alloc(sizeof(*s));
    int64_t samples = json_int(v, "samples", 0), least = json_int(v, "samples_min", 0);
    size_t k = 0;
    while (k < ARRAY_LEN(KINDS) && !str_eq(KINDS[k], kind))
        k++;
    const char *metric = json_str(v, "metric", NULL);
    enum ab_metric by = AB_CPU;
    bool known = !metric || (ab_metric_find(metric, &by) && by <= AB_RSS);
    *s = (struct session){.metric = by,
                          .id = json_str(v, "id", NULL),
                          .cwd = json_str(v, "cwd", NULL),
                          .stdin_path = json_str(v, "stdin", NULL),
                          .ignore_output = json_flag(v, "ignore_output", false),
                          .warm_up_s = positive(v, "warm_up_s", 3600),
                          .measurement_s = positive(v, "measurement_s", 3600),
                          .max_wall_ns = json_int(v, "max_wall_ns", 0),
                          .theta = positive(v, "theta", 1e6),
                          .seed = (uint64_t)json_int(v, "seed", 0)};
    int r = 0;
    if (k == ARRAY_LEN(KINDS))
        r = err_set(err, ERR_INVALID, "a session is of kind '%s', expected command, criterion or printed", kind);
    else if (!known)
        r = err_set(err, ERR_INVALID, "a session decides by '%s', expected %s, %s or %s", metric,
                    ab_metric_name(AB_CPU), ab_metric_name(AB_WALL), ab_metric_name(AB_RSS));
    else if (samples < 0 || samples > SESSION_SAMPLES_MAX || least < 0 || least > samples)
        r = err_set(err, ERR_LIMIT, "a session takes 0 to %u samples", SESSION_SAMPLES_MAX);
    else if (!s->cwd || (k != SESSION_COMMAND && !s->id))
        r = err_set(err, ERR_INVALID, "a session has no 'cwd', or no 'id'");
    else
        r = read_sides(v, s, err);
    if (r < 0) {
        session_free(s);
        return r;
    }
    s->kind = (enum session_kind)k;
    s->samples = (unsigned)samples;
    s->samples_min = (unsigned)least;
    *ret = s;
    return 0;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    for (int i = 0; i < 3; i++)
        mem_free((void *)(uintptr_t)s->command[i]);
    mem_free((void *)(uintptr_t)s->env);
    mem_free(s);
}

// --- answers ---

static int read_error(const json_t *answer, struct err *err)
{
    const char *text = json_str(answer, "error", NULL);
    int64_t code = json_int(answer, "code", 0);
    if (!text)
        return 0;
    return err_set(err, code > 0 && code < ERR_COUNT_ ? (enum err_code)code : ERR_INTERNAL, "%s", text);
}

int session_read_comparison(const json_t *answer, struct ab_result **ret, struct err *err)
{
    const json_t *comparison = json_obj(answer, "comparison");
    int r = read_error(answer, err);
    if (r < 0)
        return r;
    if (!json_list(comparison, "samples"))
        return err_set(err, ERR_INVALID, "a measuring session answered without a comparison");
    return ab_result_parse(comparison, ret, err);
}

int session_read_samples(const json_t *answer, struct session_samples *ret, struct err *err)
{
    const json_t *list = json_list(answer, "samples");
    size_t i, n = json_array_size(list);
    json_t *value;
    int r = read_error(answer, err);
    if (r < 0)
        return r;
    if (n == 0 || n > SESSION_SAMPLES_MAX)
        return err_set(err, ERR_INVALID, "a measuring session answered with %zu samples, expected 1 to %u", n,
                       SESSION_SAMPLES_MAX);
    *ret = (struct session_samples){.count = n};
    json_array_foreach (list, i, value) {
        ret->value[i] = json_number_value(value);
        if (!json_is_number(value) || !isfinite(ret->value[i]) || ret->value[i] < 0 || ret->value[i] > 1e18)
            return err_set(err, ERR_INVALID, "sample %zu of a measuring session is no duration", i);
    }
    int64_t rss = json_int(answer, "max_rss_kb", 0);
    ret->max_rss_kb = rss > 0 ? rss : 0;
    return 0;
}

// --- progress ---

static const char *const PHASES[] = {"warm-up", "calibrate", "compare", "sample"};

char *session_progress_line(const struct ab_progress *p)
{
    AUTO_JSON json_t *o = json_object();
    json_put_str(o, "phase", p->phase);
    json_put_int(o, "pairs", p->pairs);
    json_put_int(o, "max_pairs", p->max_pairs);
    json_put_num(o, "ratio", p->ratio);
    json_put_num(o, "low", p->low);
    json_put_num(o, "high", p->high);
    json_put_int(o, "elapsed_ns", p->elapsed_ns);
    return json_compact(o);
}

static unsigned count_of(const json_t *o, const char *key)
{
    int64_t n = json_int(o, key, 0);
    return n > 0 && n < 1000000 ? (unsigned)n : 0;
}

bool session_progress_read(const char *line, struct ab_progress *ret)
{
    AUTO_JSON json_t *o = json_parse_new(line, strlen(line), "progress", NULL);
    const char *phase = json_str(o, "phase", "");
    size_t k = 0;
    while (k < ARRAY_LEN(PHASES) && !str_eq(PHASES[k], phase))
        k++;
    if (k == ARRAY_LEN(PHASES))
        return false;
    *ret = (struct ab_progress){.phase = PHASES[k],
                                .pairs = count_of(o, "pairs"),
                                .max_pairs = count_of(o, "max_pairs"),
                                .ratio = positive(o, "ratio", 1e9),
                                .low = positive(o, "low", 1e9),
                                .high = positive(o, "high", 1e9),
                                .elapsed_ns = json_int(o, "elapsed_ns", 0)};
    return true;
}
