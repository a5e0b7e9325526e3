#!/usr/bin/env node
/**
 * The program `mcp-lifeline`: an archive of modules in the published package, the modules themselves in the repository.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Archive from "./process/Archive.js"
import * as CodeCache from "./process/CodeCache.js"

const folder = dirname(fileURLToPath(import.meta.url))
if (existsSync(join(folder, Archive.main))) {
  Archive.run({
    read: (file) => {
      const script = file === Archive.main ? CodeCache.script(join(folder, file)) : CodeCache.plain(join(folder, file))
      return script.runInThisContext() as Archive.Modules
    },
    require: createRequire(import.meta.url),
    url: import.meta.url
  })
} // A path that is no text: the bundler would follow one.
else await import(new URL("program.js", import.meta.url).href)
