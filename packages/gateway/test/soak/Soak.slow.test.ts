/**
 * A soak in which a promise is broken on purpose: what comes from real processes reaches the ledger, and the command says so.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("../../../../tools/soak/run.mjs", import.meta.url))

const soak = (args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }>((resolve) =>
    execFile(
      process.execPath,
      [program, ...args],
      { timeout: 570_000 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code, stdout, stderr })
    )
  )

describe.skipIf(process.platform !== "linux")("a soak", () => {
  it(
    "[B3:real] reports each promise that is broken, and how to play the same again",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "test-"))
      try {
        const file = join(folder, "report.json")
        const planted = ["--plant", "twice,session,process,file,crossed,untyped"]
        const first = await soak(["--seconds", "3", "--seed", "5", "--doors", "connectAll", "--json", file, ...planted])
        assert.strictEqual(first.code, 1, first.stderr)
        assert.include(first.stderr, `pnpm test:release soak --replay ${file}`)
        assert.include(first.stderr, "pnpm test:release soak --seconds 3 --seed 5 --doors connectAll")
        const report = JSON.parse(readFileSync(file, "utf8"))
        const broken = report.violations.map(({ promise, what }: Record<string, string>) => `${promise} ${what}`)
          .toSorted()
        assert.deepStrictEqual(broken.map((line: string) => line.replace(/[\w./-]+#\d+|\d+/g, "N")), [
          "closed process N is left: " + broken[0].split("left: ")[1].replace(/\d+/g, "N"),
          "closed sessions of httpN: N opened, N closed",
          'crossed connectAll/fleet.N.N got the progress "N"',
          "ended the call connectAll/fleet.N.N#planted failed without a typed error: planted",
          "left a temporary file: planted",
          "twice N had its effect N times"
        ])
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
    600_000
  )
})
