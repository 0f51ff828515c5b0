# Writes a C file that holds every Lua script as bytes.
#   cmake -D OUTPUT=FILE.c -D "SCRIPTS=a.lua;b.lua" -P embed_scripts.cmake
set(code "#include \"redis/redis_scripts.h\"\n")
foreach(path ${SCRIPTS})
  get_filename_component(name ${path} NAME_WE)
  file(READ ${path} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "((0x..,){24})" "\\1\n" bytes "${bytes}")
  string(APPEND code "\nstatic const unsigned char ${name}_source[] = {\n${bytes}\n};\n"
    "const struct redis_script_source redis_script_${name} = {\"${name}.lua\", ${name}_source, sizeof ${name}_source};\n")
endforeach()
file(WRITE ${OUTPUT} "${code}")
