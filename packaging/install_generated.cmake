# Run by `cmake --install`: completions and man pages, which the program itself writes. `laban`: the program; `share`: where
# they go; `work`: a folder of the build.
function(install_generated folder name)
  execute_process(COMMAND ${laban} ${ARGN} OUTPUT_FILE ${work}/${name} RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed)
    file(INSTALL ${work}/${name} DESTINATION ${share}/${folder})
  endif()
endfunction()
# bash looks for the command's name, zsh for _name.
install_generated(bash-completion/completions laban completion bash)
install_generated(zsh/site-functions _laban completion zsh)
install_generated(fish/vendor_completions.d laban.fish completion fish)

file(REMOVE_RECURSE ${work}/man)
file(MAKE_DIRECTORY ${work}/man)
execute_process(COMMAND ${laban} man --output ${work}/man RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
if(NOT failed)
  file(GLOB pages ${work}/man/*.1)
  file(INSTALL ${pages} DESTINATION ${share}/man/man1)
endif()
