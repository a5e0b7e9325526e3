import { assert, describe, it } from "vitest"
import * as Wine from "../../../testing/test/support/Wine.js"
import * as Program from "./program.js"

for (const node of Wine.nodes) {
  describe(`wrap --watch on Windows (${node.name})`, () => {
    let wine: Wine.Wine
    Program.before(node, "watching.ts", (made) => (wine = made))

    const change = async (option: string, folder: string, changes: number): Promise<unknown> => {
      await wine.run(node.path, "watching.cjs", option, folder, String(changes), "answers.json")
      return (JSON.parse(wine.read("answers.json")) as { readonly answers: unknown }).answers
    }

    // Wine 8 reports nothing of what happens in folders that are made later, so the files are in the folder itself.
    it("[W4] a file that is written, replaced, or removed with its folder and made again starts the server again", async () => {
      const answers = await change("--watch=.\\SRC\\**\\*.CJS", "src", 3)
      assert.deepStrictEqual(answers, [["first"], ["written"], ["replaced"], ["again"]])
    })

    it.runIf(Wine.oneNode.includes(node))("[W4] a file of the command line, when it is written", async () => {
      assert.deepStrictEqual(await change("--watch", "build", 1), [["first"], ["written"]])
    })
  })
}
