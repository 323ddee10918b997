# Compiler and linker flags, one place for all targets (interface library baton_flags).
add_library(baton_flags INTERFACE)
target_compile_definitions(baton_flags INTERFACE _GNU_SOURCE BATON_VERSION="${PROJECT_VERSION}")

set(BATON_WARNINGS
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wmissing-declarations -Wold-style-definition -Wundef -Wcast-qual
  -Wwrite-strings -Wformat=2 -Wnull-dereference -Wdouble-promotion -Wvla -Wimplicit-fallthrough
  -Wunused-macros -Wnested-externs)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND BATON_WARNINGS -Wformat-signedness -Wduplicated-cond -Wduplicated-branches -Wlogical-op
    -Wjump-misses-init)
else()
  list(APPEND BATON_WARNINGS -Wmissing-variable-declarations -Wcomma -Wconditional-uninitialized
    -Wno-gnu-zero-variadic-macro-arguments)
endif()
target_compile_options(baton_flags INTERFACE ${BATON_WARNINGS} $<$<BOOL:${BATON_WERROR}>:-Werror>)

if(BATON_SANITIZE)
  target_compile_options(baton_flags INTERFACE -fsanitize=${BATON_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(baton_flags INTERFACE -fsanitize=${BATON_SANITIZE})
endif()

if(BATON_FUZZ) # the libraries too, or libFuzzer sees nothing but the harness
  target_compile_options(baton_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(BATON_HARDEN)
  target_compile_options(baton_flags INTERFACE -fstack-protector-strong -fstack-clash-protection
    -fcf-protection=full -fvisibility=hidden -fno-common -fno-delete-null-pointer-checks
    -fno-strict-overflow -U_FORTIFY_SOURCE
    $<IF:$<C_COMPILER_ID:GNU>,-D_FORTIFY_SOURCE=3,-D_FORTIFY_SOURCE=2>
    $<$<C_COMPILER_ID:GNU>:-ftrivial-auto-var-init=zero>)
  target_link_options(baton_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed)
endif()
