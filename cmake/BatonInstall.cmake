# What `cmake --install` puts where. The programs look for each other and for their data relative to themselves
# (orchestrator/main/places.c, agents/sandbox/spawn.c), so the places below the prefix are fixed and the prefix can be moved.
get_property(programs GLOBAL PROPERTY BATON_PROGRAMS)
foreach(program baton-exec ${programs})
  if(program STREQUAL "baton")
    install(TARGETS ${program} RUNTIME DESTINATION bin)
  elseif(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION libexec/baton)
  endif()
endforeach()

install(DIRECTORY workflows/ DESTINATION share/baton/workflows FILES_MATCHING PATTERN "*.lua")
install(DIRECTORY agents/definitions/ DESTINATION share/baton/agents FILES_MATCHING PATTERN "*.md")
install(DIRECTORY lua/ DESTINATION share/baton/lua FILES_MATCHING PATTERN "*.lua" PATTERN "*.md" PATTERN "test" EXCLUDE)
if(TARGET manpage)
  install(FILES ${CMAKE_BINARY_DIR}/baton.1 DESTINATION share/man/man1)
endif()
foreach(doc README.md LICENSE)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${doc})
    install(FILES ${doc} DESTINATION share/doc/baton)
  endif()
endforeach()

# The units name the program by its full path, which is known only now: `cmake --install --prefix` may have changed it.
# They are written straight to their place, so that an installation by root leaves nothing of root's in the build folder.
install(CODE "set(units \"${CMAKE_SOURCE_DIR}/packaging\")")
install(CODE [[
  foreach(unit user/baton.service user/baton.socket system/baton@.service)
    set(place "${CMAKE_INSTALL_PREFIX}/lib/systemd/${unit}")
    message(STATUS "Installing: $ENV{DESTDIR}${place}")
    configure_file("${units}/${unit}.in" "$ENV{DESTDIR}${place}" @ONLY)
    list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${place}")
  endforeach()
]])
