#include "report/children.h"

#define DEPTH_MAX 16 // of a tree of runs; the engine stops earlier

static json_t *children_below_new(struct store *store, const char *run, int depth)
{
    json_t *list = json_array();
    AUTO_JSON json_t *rows = depth < DEPTH_MAX ? store_run_children_new(store, run, false, NULL) : NULL;
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        json_t *child = json_object();
        json_put_str(child, "run", json_str(row, "id", NULL));
        json_put_str(child, "workflow", json_str(row, "workflow", NULL));
        json_put_str(child, "state", json_str(row, "state", NULL));
        AUTO_JSON json_t *waits =
            json_int(row, "finished_ns", 0) ? NULL : store_waits_new(store, json_str(row, "id", ""), NULL);
        json_put(child, "waits", waits ? json_incref(waits) : json_array());
        json_put(child, "children", children_below_new(store, json_str(row, "id", ""), depth + 1));
        json_array_append_new(list, child);
    }
    return list;
}

json_t *children_new(struct store *store, const char *run)
{
    return children_below_new(store, run, 0);
}

static void add_rows(const json_t *children, int depth, json_t *rows)
{
    size_t i;
    json_t *child;
    json_array_foreach (children, i, child) {
        if (json_array_size(rows) == CHILDREN_SHOWN)
            return;
        json_t *row = json_copy(child);
        json_object_del(row, "children");
        json_put_int(row, "depth", depth);
        json_array_append_new(rows, row);
        add_rows(json_list(child, "children"), depth + 1, rows);
    }
}

json_t *children_rows_new(const json_t *children)
{
    json_t *rows = json_array();
    add_rows(children, 0, rows);
    return rows;
}
