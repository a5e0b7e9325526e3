import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import * as Postgres from "../../testing/test/support/Postgres.js"
import * as Program from "./support/Program.js"

const script = fileURLToPath(new URL("../../../tools/demo-cluster.mjs", import.meta.url))

describe.skipIf(!Postgres.isInstalled)(`the demo of a cluster${Postgres.title}`, () => {
  it.scopedLive("[D1] [G7] has calls answered, says what to kill, and leaves no process when it is interrupted", () =>
    Effect.gen(function*() {
      const demo = yield* Program.start([script], {}, [process.execPath])
      yield* demo.prints(/ [1-9]\d* calls done, .* alpha on replica \d /)
      const all = Program.family(demo.pid)
      const named = [...demo.stdout().matchAll(/try: kill -(?:9|QUIT) (\d+) /g)].map(([, pid]) => Number(pid))
      expect(named).toHaveLength(4)
      expect(all).toEqual(expect.arrayContaining(named))
      demo.signal("SIGINT")
      expect(yield* demo.ended).toEqual({ code: 0, signal: null })
      expect(demo.stdout()).not.toMatch(/[1-9]\d* carried out twice/)
      expect(demo.stderr()).toBe("")
      yield* Effect.forEach(all, Program.gone)
    }))
})
