import { assert, describe, it } from "vitest"
import * as Wine from "../../../testing/test/support/Wine.js"
import * as Program from "./program.js"

for (const node of Wine.nodes) {
  describe(`wrap --watch on Windows (${node.name})`, () => {
    let wine: Wine.Wine
    Program.before(node, "watching.ts", (made) => (wine = made))

    it("[W4] a file that is written, or removed with its folder and made again, starts the server again", async () => {
      await wine.run(node.path, "watching.cjs", "--watch=.\\SRC\\**\\*.CJS", "src", "answers.json")
      const { answers } = JSON.parse(wine.read("answers.json")) as { readonly answers: unknown }
      assert.deepStrictEqual(answers, [["first"], ["written"], ["again"]])
    })
  })
}
