import { describe, expect, it } from "vitest"
import { json, maxDepth, toml, yaml } from "../../src/document/checkDepth.js"

const looks = { json, toml, yaml }

const levels = (count: number, open: string, close: string): string => open.repeat(count) + close.repeat(count)

const nested: { readonly [K in keyof typeof looks]: ReadonlyArray<(count: number) => string> } = {
  json: [
    (count) => levels(count, "[", "]"),
    (count) => levels(count, '{"a":', "}"),
    // What is beside it, in texts and in comments is none of it.
    (count) => `[[1],{"a":"]]\\"}"},${levels(count - 1, "[", "]")}]`,
    (count) => `[// ]]\n/* ]] */${levels(count - 1, "[", "]")}]`,
    (count) => `]]]${levels(count, "[", "]")}`
  ],
  toml: [
    (count) => `a = ${levels(count, "[", "]")}`,
    (count) => `a = ${levels(count, "{a=", "}")}`,
    (count) => `a = ["]]", ']]', """]]"]]""", '''\\''', # ]]\n${levels(count - 1, "[", "]")}]`
  ],
  yaml: [
    (count) => `a: ${levels(count, "[", "]")}`,
    (count) => `a:\n${" ".repeat(2 * count)}b: 1`,
    (count) => `- a\n${"- ".repeat(count)}a`
  ]
}

describe("documents that are nested too deeply", () => {
  it.each(Object.entries(nested).flatMap(([kind, texts]) => texts.map((text, index) => [kind, index, text] as const)))(
    "[X1:unit] %s has so many levels and no more: text %i",
    (kind, _, text) => {
      const look = looks[kind as keyof typeof looks]
      expect(look(text(maxDepth))).toBe(text(maxDepth))
      expect(() => look(text(maxDepth + 1))).toThrow(`nested more than ${maxDepth} levels deep`)
    }
  )

  it("[X1:unit] keys of TOML with dots are tables, too: as many as there may be levels, for each key", () => {
    const key = (dots: number): string => `a${".a".repeat(dots)}`
    for (
      const text of [`${key(maxDepth)} = 1\n${key(maxDepth)} = 1`, `a = {${key(maxDepth)} = 1, ${key(maxDepth)} = 1}`]
    ) {
      expect(toml(text)).toBe(text)
    }
    expect(() => toml(`${key(maxDepth + 1)} = 1`)).toThrow("levels deep")
    expect(toml(`a = "${key(maxDepth + 1)}" # ${key(maxDepth + 1)}`)).toContain("a")
  })

  it("[X1:unit] what is in quotes or in a comment has no levels, also where it has no end", () => {
    const many = "[".repeat(maxDepth + 1)
    for (const text of [`"${many}`, `"\\"${many}"`, `// ${many}`, `/* ${many}`, `/* ${many} */ 1 // ${many}`]) {
      expect(json(text)).toBe(text)
    }
    for (const text of [`a = "${many}"`, `a = '${many}`, `a = '''${many}'''`, `a = """${many}`, `# ${many}`]) {
      expect(toml(text)).toBe(text)
    }
    // An escape is none between single quotes.
    expect(() => toml(`a = '\\' ${many}`)).toThrow("levels deep")
  })
})
