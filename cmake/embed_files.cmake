# Writes a C file that holds files as bytes, each as `const struct embedded_file PREFIX_NAME` (base/embedded.h), where NAME is the file's
# name without its ending.
#   cmake -D OUTPUT=FILE.c -D PREFIX=redis_script -D "FILES=a.lua;b.lua" -P embed_files.cmake
set(code "#include \"base/embedded.h\"\n")
foreach(path ${FILES})
  get_filename_component(name ${path} NAME_WE)
  get_filename_component(file_name ${path} NAME)
  file(READ ${path} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "((0x..,){24})" "\\1\n" bytes "${bytes}")
  set(symbol ${PREFIX}_${name})
  string(APPEND code "\nstatic const unsigned char ${symbol}_bytes[] = {\n${bytes}0x00\n};\n"
    "extern const struct embedded_file ${symbol};\n"
    "const struct embedded_file ${symbol} = {\"${file_name}\", (const char *)${symbol}_bytes, sizeof ${symbol}_bytes - 1};\n")
endforeach()
file(WRITE ${OUTPUT} "${code}")
