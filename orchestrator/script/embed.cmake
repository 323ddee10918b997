# Writes a text file as a C array: cmake -DIN=… -DOUT=… -P embed.cmake
file(READ ${IN} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR len "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "#include \"script/prelude.h\"\n\nconst size_t SCRIPT_PRELUDE_LEN = ${len};\nconst unsigned char SCRIPT_PRELUDE[] = {\n${bytes}\n};\n")
