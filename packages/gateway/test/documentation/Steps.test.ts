import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"

const root = fileURLToPath(new URL("../../../../", import.meta.url))
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>
}
const withSteps = ["check", "build", "test:release", "bench"]

const files = execFileSync("git", ["ls-files", "*.md", "*.yml", ".ci/*", "packages/*.ts", "tools/*.mjs"], { cwd: root })
  .toString().trim().split("\n")

const named = files.flatMap((file) => {
  const text = readFileSync(`${root}${file}`, "utf8")
  const [, steps = ""] = /^ +step: \[(.+)\]$/m.exec(text) ?? []
  return [
    ...text.matchAll(/\bpnpm(?:@[\d.]+)? (check|build|test:release|bench) (\$\{\{ matrix\.step \}\}|[a-z]+)(?=[`\s"])/g)
  ]
    .flatMap(([, script = "", step = ""]) =>
      (step.startsWith("$") ? steps.split(", ") : [step]).map((step) => ({ file, script, step }))
    )
})

describe("the scripts of package.json", () => {
  it.each(withSteps)("pnpm %s has each step that a page, a workflow or a program names", (script) => {
    const { status, stderr } = spawnSync(process.execPath, [...scripts[script]!.split(" ").slice(1), "no-such-step"], {
      cwd: root
    })
    assert.notStrictEqual(status, 0)
    const steps: ReadonlyArray<string> = stderr.toString().match(/[a-z]+/g) ?? []
    const here = named.filter((one) => one.script === script)
    assert.isNotEmpty(here)
    assert.deepStrictEqual(here.filter(({ step }) => !steps.includes(step)), [])
  })
})
