# The admin page of src/admin/page, embedded as it stands: text that a program reads needs no compiler.
enable_language(ASM)
set(page_dir ${CMAKE_SOURCE_DIR}/src/admin/page)
set(page_assembler ${CMAKE_BINARY_DIR}/admin_page.S)
file(CONFIGURE OUTPUT ${page_assembler} CONTENT [[
.section .rodata
.macro embed name, file
.global \name, \name\()_end
\name: .incbin "\file"
\name\()_end: .byte 0
.endm
embed outrider_page_html, "@page_dir@/page.html"
embed outrider_page_css, "@page_dir@/page.css"
embed outrider_page_js, "@page_dir@/page.js"
.section .note.GNU-stack,"",@progbits
]] @ONLY)
set_source_files_properties(${page_assembler} PROPERTIES
  OBJECT_DEPENDS "${page_dir}/page.html;${page_dir}/page.css;${page_dir}/page.js")
target_sources(admin PRIVATE ${page_assembler})
