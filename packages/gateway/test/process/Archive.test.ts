import { describe, expect, it } from "vitest"
import * as Archive from "../../src/process/Archive.js"

/** Runs an archive, whose program gives a function that loads a module. `unreadable`: the files that cannot be read now. */
const start = (files: Readonly<Record<string, Archive.Modules>>) => {
  const unreadable = new Set<string>()
  let load: (name: string) => unknown = () => undefined
  Archive.run({
    read: (file) => {
      if (file === Archive.main) return { [file]: (_, require) => void (load = require), ...files[file] }
      if (unreadable.has(file)) throw new Error(`EMFILE: ${file}`)
      return files[file] ?? {}
    },
    require: (name) => ({ installed: name }),
    url: "file:///program.js"
  })
  return { load, unreadable }
}

describe("the archive of the program", () => {
  it("[W11:unit] has modules that require each other, of one file or another, and what is installed", () => {
    const { load } = start({
      [Archive.main]: { "a.cjs": (exports, require) => void (exports["b"] = require("./b.cjs")) },
      "b.cjs": {
        "b.cjs": (exports, require, _, url) => Object.assign(exports, { a: require("./a.cjs"), fs: require("fs"), url })
      }
    })
    const a = load("./a.cjs") as { readonly b: Record<string, unknown> }
    expect(a.b["a"]).toBe(a)
    expect(a.b["fs"]).toEqual({ installed: "fs" })
    expect(a.b["url"]).toBe("file:///program.js")
    expect(load("./b.cjs")).toBe(a.b)
  })

  it("[W11:unit][X1:unit] loads anew what it could not read", () => {
    const { load, unreadable } = start({
      "a.cjs": { "a.cjs": (exports, require) => void (exports["b"] = require("./b.cjs")) },
      "b.cjs": { "b.cjs": (exports) => void (exports["is"] = "b") }
    })
    unreadable.add("b.cjs")
    expect(() => load("./a.cjs")).toThrow("EMFILE: b.cjs")
    unreadable.clear()
    expect(load("./a.cjs")).toEqual({ b: { is: "b" } })
  })

  it("[W11:unit] says which module is missing", () => {
    expect(() => start({}).load("./not-there.cjs")).toThrow("not-there.cjs has no module of its name")
  })
})
