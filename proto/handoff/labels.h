// Inside proto/handoff: the bold labels that era D expects of each role, filled from summary and verdict.
#pragma once

struct role_labels {
    const char *role, *summary, *verdict; // NULL: none
};

const struct role_labels *role_labels_of(const char *role); // never NULL
