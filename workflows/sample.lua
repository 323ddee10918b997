-- Where one command spends its time or its memory, or what a file of another profiler says. Nothing is changed.

local PERFORMANCE = "rust-performance-engineer"

workflow "sample" {
  about = "Profile one command of any language, or read the profile of another tool",
  chain = "rust-performance-engineer",
  params = {
    command = { type = "list", about = "The command, as a list of words" },
    scaled = { type = "list", about = "Instead: [{size, command}], counted to see what grows faster than its input" },
    file = { type = "string", about = "Instead: a file of a profiler" },
    before = { type = "string", about = "A file of a profiler to compare with" },
    memory = { type = "boolean", default = false, about = "Follow allocations instead of time" },
    tool = { default = "auto", one_of = { "auto", "perf", "callgrind" }, about = "What takes the profile" },
    call_graph = { type = "string", about = "How perf finds callers: dwarf, fp or lbr" },
    frequency = { type = "number", about = "Samples per second" },
    every_frame = { type = "boolean", default = false, about = "Show the frames of async runtimes and rayon one by one" },
    formats = { type = "list", about = "What is written, e.g. flamegraph, folded, pprof" },
    roots = { type = "list", about = "Folders of the project's source" },
    title = { type = "string", about = "Its name in pictures" },
  },

  run = function(p)
    local result = stage {
      agent = PERFORMANCE, mode = "sample", task = "Find where one command spends its time",
      input = {
        command = p.command, scaled = p.scaled, file = p.file, before = p.before, memory = p.memory, tool = p.tool,
        call_graph = p.call_graph, frequency = p.frequency, every_frame = p.every_frame, formats = p.formats,
        roots = p.roots, title = p.title,
      },
    }
    if result.status == "needs_discussion" then finish("needs_discussion", { reason = result.summary }) end
    if not result.ok then fail(result.summary) end
    if not result.output.measurable then finish("nothing_measurable", { reason = result.summary }) end
    finish("accepted", { reason = result.summary })
  end,
}
