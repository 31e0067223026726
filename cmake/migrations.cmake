# The SQL files of migrations/<engine>/NNNN_what.sql as a table in the binary: kit::db::embedded_migrations(engine).
#
# Included, it defines kit_embed_migrations(target). Run as a script (cmake -DOUT=… -DROOT=… -P), it writes the table.

if(NOT CMAKE_SCRIPT_MODE_FILE)
    function(kit_embed_migrations target)
        set(root "${CMAKE_SOURCE_DIR}/migrations")
        set(out "${CMAKE_CURRENT_BINARY_DIR}/embedded_migrations.cpp")
        file(GLOB files CONFIGURE_DEPENDS "${root}/postgres/*.sql" "${root}/sqlite/*.sql")
        set(script "${CMAKE_SOURCE_DIR}/cmake/migrations.cmake")
        add_custom_command(
            OUTPUT "${out}"
            COMMAND "${CMAKE_COMMAND}" "-DOUT=${out}" "-DROOT=${root}" -P "${script}"
            DEPENDS ${files} "${script}"
            COMMENT "Embedding the migrations"
            VERBATIM
        )
        target_sources(${target} PRIVATE "${out}")
    endfunction()
    return()
endif()

set(text "// Made from migrations/ by cmake/migrations.cmake.\n#include \"platform/db/migrations.hpp\"\n\n#include <array>\n\n")
string(APPEND text "namespace kit::db {\n\nnamespace {\n\n")
foreach(engine postgres sqlite)
    file(GLOB files "${ROOT}/${engine}/*.sql")
    list(SORT files)
    list(LENGTH files count)
    string(APPEND text "constexpr std::array<Migration, ${count}> ${engine}{{\n")
    foreach(file IN LISTS files)
        get_filename_component(name "${file}" NAME_WE)
        if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_[a-z0-9_]+$")
            message(FATAL_ERROR "${file}: a migration is named NNNN_what.sql, in lower case")
        endif()
        math(EXPR version "1${CMAKE_MATCH_1} - 10000")
        file(SHA256 "${file}" checksum)
        file(READ "${file}" sql)
        if(sql MATCHES "kit_sql\"")
            message(FATAL_ERROR "${file}: must not contain kit_sql\"")
        endif()
        string(APPEND text "    {.version = ${version}, .name = \"${name}\", .sql = R\"kit_sql(${sql})kit_sql\",\n")
        string(APPEND text "     .checksum = \"${checksum}\"},\n")
    endforeach()
    string(APPEND text "}};\n\n")
endforeach()
string(APPEND text "}  // namespace\n\nstd::span<const Migration> embedded_migrations(Engine engine)\n{\n")
string(APPEND text "    return engine == Engine::postgres ? std::span<const Migration>(postgres) : std::span<const Migration>(sqlite);\n}\n\n")
string(APPEND text "}  // namespace kit::db\n")
file(WRITE "${OUT}" "${text}")
