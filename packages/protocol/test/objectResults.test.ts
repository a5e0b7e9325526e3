import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv"
import { assert, describe, it } from "vitest"
import { ObjectResults } from "../src/index.js"

const tool = (outputSchema: unknown) => ObjectResults.tool({ name: "t", inputSchema: { type: "object" }, outputSchema })

const given = (value: unknown): unknown =>
  ObjectResults.result("tools/call", { content: [], structuredContent: value as never })["structuredContent"]

const row = { type: "object", properties: { id: { type: "number" } }, required: ["id"] }
const text = { type: "object", properties: { text: { type: "string" } }, required: ["text"] }

const schemas: Readonly<
  Record<string, readonly [schema: object, right: ReadonlyArray<unknown>, wrong: ReadonlyArray<unknown>]>
> = {
  "a list": [{ type: "array", items: row }, [[], [{ id: 1 }]], [[{ id: "1" }], "x"]],
  "a number or nothing": [{ type: ["number", "null"] }, [1, null], ["1", [1]]],
  "objects of either kind": [{ anyOf: [row, text] }, [{ id: 1 }, { text: "a" }], [{ id: "1" }, 1]],
  "one of two kinds": [{ oneOf: [row, text] }, [{ id: 1 }], [{ id: 1, text: "a" }]],
  "an object or a list of them": [{ anyOf: [row, { type: "array", items: row }] }, [{ id: 1 }, [{ id: 1 }]], [[1], {}]],
  "a list, or an object, by its type": [{ type: ["object", "array"], maxItems: 1 }, [{}, [1]], []],
  "anything": [{}, [1, "a", null, [], { a: 1 }], []],
  "a definition": [
    { $ref: "#/$defs/rows", $defs: { rows: { type: "array", items: { $ref: "#/$defs/row" } }, row } },
    [[{ id: 1 }]],
    [[{}], 1]
  ],
  "a list of lists of itself": [{ type: "array", items: { $ref: "#" } }, [[], [[], [[]]]], [[1]]],
  "a document of its own": [
    { $id: "https://example.com/rows", type: "array", items: { $ref: "#/$defs/row" }, $defs: { row } },
    [[{ id: 1 }]],
    [[{}]]
  ],
  "a dialect": [{ $schema: "https://json-schema.org/draft/2020-12/schema", type: "string" }, ["a"], [1]]
}

describe("structured results for clients of revisions before 2026-07-28", () => {
  it.each(Object.entries(schemas))(
    "[E8:unit] %s: both schema and result are objects, and fit",
    (_, [schema, right, wrong]) => {
      const { outputSchema } = tool(schema) as { readonly outputSchema: Readonly<Record<string, unknown>> }
      assert.strictEqual(outputSchema["type"], "object")
      // That of the official Client.
      const validate = new AjvJsonSchemaValidator().getValidator(outputSchema)
      const fits = (value: unknown): boolean => validate(value).valid
      for (const value of right) {
        assert.isObject(given(value))
        assert.isTrue(fits(given(value)), `${JSON.stringify(value)} fits`)
      }
      for (const value of wrong) assert.isFalse(fits(given(value)), `${JSON.stringify(value)} does not fit`)
    }
  )

  it("[E8:unit] what is an object in all revisions is not touched", () => {
    const plain = { name: "t", inputSchema: { type: "object" as const }, outputSchema: { type: "object" as const } }
    const list = { tools: [plain, { name: "without", inputSchema: { type: "object" as const } }] }
    assert.strictEqual(ObjectResults.result("tools/list", list), list)
    const called = { content: [], structuredContent: { a: 1 } }
    assert.strictEqual(ObjectResults.result("tools/call", called), called)
    const read = { contents: [], structuredContent: [1] }
    assert.strictEqual(ObjectResults.result("resources/read", read), read)
    const answer = { result: called }
    assert.strictEqual(ObjectResults.answer({ method: "tools/call" }, answer), answer)
    const error = { error: { code: 1, message: "x" } }
    assert.strictEqual(ObjectResults.answer({ method: "tools/list" }, error), error)
  })

  it("[E8:unit] the result of a task is one of a tool", () => {
    assert.deepEqual(ObjectResults.result("tasks/result", { structuredContent: [1] })["structuredContent"], {
      result: [1]
    })
  })

  it("[E8:unit X1:unit] a schema that nobody can read is left out, and the other tools stay as they are", () => {
    let deep: object = { type: "array" }
    for (let i = 0; i < 600; i++) deep = { items: deep }
    for (const schema of [deep, "array", [], null, true]) {
      assert.deepEqual(tool(schema), { name: "t", inputSchema: { type: "object" } } as never)
    }
    const plain = { name: "plain" }
    const { tools } = ObjectResults.result("tools/list", {
      tools: [plain, { name: "t", outputSchema: 1 }, "not a tool"]
    })
    assert.deepEqual(tools, [plain, { name: "t" }, "not a tool"])
    assert.strictEqual((tools as ReadonlyArray<unknown>)[0], plain)
    assert.deepEqual(ObjectResults.result("tools/list", { tools: "none" }), { tools: "none" })
  })
})
