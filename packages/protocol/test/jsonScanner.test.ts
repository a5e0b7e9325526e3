import { JsonScanner } from "@mcp-lifeline/protocol"
import { assert, describe, it } from "vitest"

describe("JsonScanner", () => {
  const seen = ({ depth, hasMethod, id, values }: JsonScanner) => ({ depth, hasMethod, id, values })
  const scan = (text: string) => {
    const whole = seen(new JsonScanner().push(text))
    for (const pieces of [[text], [...text]]) {
      const scanner = new JsonScanner()
      for (const one of Buffer.from(text)) scanner.push(Buffer.from([one]))
      assert.deepStrictEqual(seen(scanner), whole, text)
      const ofText = new JsonScanner()
      for (const piece of pieces) ofText.push(piece)
      assert.deepStrictEqual(seen(ofText), whole, text)
    }
    return { id: whole.id, hasMethod: whole.hasMethod }
  }
  const found = (id: unknown, hasMethod = false) => ({ id, hasMethod })

  it("[S4] finds the top-level id and nothing else", () => {
    const cases: ReadonlyArray<readonly [string, ReturnType<typeof found>]> = [
      ['{"id":1}', found(1)],
      ['{ "id" : 12 , "x":[{"id":3}]}', found(12)],
      ['{"x":{"id":3,"method":"m"},"id":"a,}b"}', found("a,}b")],
      ['{"x":"\\",\\"id\\":9","id":-4}', found(-4)],
      ['{"\\u0069d":5}', found(5)],
      ['{"id":null,"x":1}', found(undefined)],
      ['{"id":{"id":1}}', found(undefined)],
      ['{"id":[1,2],"x":"id"}', found(undefined)],
      ['{"x":"id","y":2}', found(undefined)],
      ['{"id":1,"id":2}', found(2)],
      ['{"method":"ping","id":1}', found(1, true)],
      ['{"x":"method","id":1}', found(1)],
      ['[{"id":1}]', found(undefined)],
      ['"id":1', found(undefined)],
      ['{"id":7', found(undefined)],
      ['}}}{"id":1}', found(undefined)],
      [`{"${"k".repeat(1_000)}":1,"id":2}`, found(2)],
      [`{"id":"${"k".repeat(1_000)}","x":1}`, found(undefined)],
      ['{"x":1,"id"', found(undefined)],
      ['{"id":tru}', found(undefined)],
      ['{"id":"a\\"b","x":"}"}', found('a"b')],
      ['{"x":[{"y":"method"}],"method":"m"}', found(undefined, true)],
      ['["id",5]', found(undefined)],
      ['{"x":{"y":1},"id":6}', found(6)],
      ['{"id":{},"x":3}', found(undefined)],
      ['{"id":[7]}', found(undefined)],
      ['{"id" "x":7}', found(undefined)],
      ['["method",1]', found(undefined)],
      ['{"id":{"a":"x"}}', found(undefined)],
      ['{"id":[["x"]]}', found(undefined)],
      // A token is kept up to 256 bytes.
      [`{"id":"${"k".repeat(254)}"}`, found("k".repeat(254))],
      [`{"id":"${"k".repeat(255)}"}`, found(undefined)]
    ]
    for (const [text, expected] of cases) assert.deepStrictEqual(scan(text), expected, text)
  })
})
