#include "report/report.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/model.h"

#include <string.h>

int report_write(struct store *store, const char *run, const char *dir, struct err *err)
{
    AUTO_JSON json_t *model = report_model_new(store, run, err);
    if (!model)
        return -(int)err->code;
    AUTO_FREE char *json = json_pretty(model);
    AUTO_FREE char *json_path = path_join(dir, "report.json");
    return file_write(json_path, json, strlen(json), false, err);
}
