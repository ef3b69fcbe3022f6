# The pip wheels of ROS 2 export include directories of the machine they were built on,
# and CMake refuses an imported target whose include directories do not exist.
# This drops those. With a ROS 2 installed from packages or source there are none.
function(drop_missing_include_dirs)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT dirs)
      continue()
    endif()
    set(existing)
    foreach(dir IN LISTS dirs)
      if(dir MATCHES "\\$<" OR EXISTS "${dir}")
        list(APPEND existing "${dir}")
      endif()
    endforeach()
    set_property(TARGET ${target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${existing}")
  endforeach()
endfunction()
