import { execFileSync } from "node:child_process"
import { assert, describe, it } from "vitest"
import { options } from "../src/TierUp.js"

const major = Number(process.versions.node.split(".")[0])

describe("when V8 optimizes", () => {
  it.skipIf(options[major] === undefined)("[W6] is set by an option that V8 has in this version of Node.js", () => {
    const [name = ""] = options[major]?.split("=") ?? []
    assert.match(name, /^--/)
    assert.include(execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" }), `  ${name} (`)
  })
})
