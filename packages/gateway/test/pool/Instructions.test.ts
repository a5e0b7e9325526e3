import { describe, expect, it } from "vitest"
import { join, longestInstructions } from "../../src/pool/Instructions.js"

const head = "What each MCP server behind this gateway says of its use, quoted under its name:"
const of = (server: string, instructions: string | undefined) => ({ server, instructions })

describe("the instructions of a gateway", () => {
  it("[G3:unit] are those of its servers, each under its name, after what the gateway says itself", () => {
    expect(join([], undefined)).toBeUndefined()
    expect(join([of("a", undefined), of("b", " \n ")], undefined)).toBeUndefined()
    expect(join([of("a", undefined)], "about")).toBe("about")
    expect(join([of("a", " one\ntwo "), of("b", ""), of("c", "three")], "about"))
      .toBe(`about\n\n${head}\n\n## a\n\n> one\n> two\n\n## c\n\n> three`)
    expect(join([of("a", "one")], undefined)).toBe(`${head}\n\n## a\n\n> one`)
  })

  it.each(["\n", "\r\n", "\r", "\v", "\f", "\u0085", "\u2028", "\u2029"])(
    "[X1:unit] has each line of a server quoted, whatever ends a line: %j",
    (end) => {
      const text = join([of("a", `one${end}${end}## b`)], undefined) ?? ""
      expect(text.slice(head.length)).toBe("\n\n## a\n\n> one\n>\n> ## b")
    }
  )

  it("[X5:unit] has so much of a server, and of all together, and says where something was cut", () => {
    const whole = "x".repeat(longestInstructions)
    expect(join([of("a", whole)], undefined)).not.toContain("[cut")
    expect(join([of("a", `${whole}y`)], undefined)?.endsWith(`> ${whole}\n[cut here: too long]`)).toBe(true)
    const many = join(Array.from({ length: 20 }, (_, i) => of(`s${i}`, whole)), undefined) ?? ""
    expect(many.length).toBeGreaterThan(63_000)
    expect(many.length).toBeLessThan(65_000)
    expect(many.match(/^## s\d+$/gm)).toHaveLength(8)
    expect(many.match(/\[cut here/g)).toHaveLength(1)
    // One that is left out does not take the place of a shorter one before it.
    expect(join([of("a", "one"), of("b", "x".repeat(100_000)), of("c", "two")], undefined)).toContain("> two")
  })
})
