import { Redacted } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Secrets from "../src/Secrets.js"

const none: Secrets.Secrets = []

describe("configured values", () => {
  it("[C10:unit] are masked in each form in which they may be written, whatever they consist of", () => {
    const value = fc.string({ minLength: 8, maxLength: 40, unit: "binary" }).filter((text) =>
      text.split(/\r?\n/).some((line) => line.trim().length >= 8)
    )
    fc.assert(
      fc.property(value, fc.boolean(), fc.boolean(), (value, isRedacted, isArgument) => {
        const secrets = isArgument
          ? Secrets.collect(undefined, [`--token=${value.trimStart()}`])
          : Secrets.collect({ TOKEN: isRedacted ? Redacted.make(value) : value, NONE: null })
        for (const line of value.split(/\r?\n/).map((one) => one.trim()).filter((one) => one.length >= 8)) {
          const json = JSON.stringify(line).slice(1, -1)
          for (const form of [line, json, encodeURIComponent(Buffer.from(line).toString("utf8"))]) {
            expect(Secrets.mask(secrets, `"${form}"`)).toBe('"***"')
          }
        }
      }),
      { numRuns: 300 }
    )
  })

  it("[C10:unit] are masked from eight characters on, the longest first, and without their scheme", () => {
    expect(Secrets.collect({ A: "1234567", B: "12345678", C: "1234567890", D: "", E: null })).toEqual([
      "1234567890",
      "12345678"
    ])
    expect(Secrets.mask(Secrets.collect({ B: "12345678", C: "1234567890" }), "a 1234567890 12345678")).toBe("a *** ***")
    for (const scheme of ["Bearer", "bearer", "BASIC"]) {
      const secrets = Secrets.collect({ A: `${scheme}  sk-0123456` })
      expect(Secrets.mask(secrets, "sk-0123456")).toBe("***")
      expect(Secrets.mask(secrets, `${scheme}  sk-0123456`)).toBe("***")
    }
    expect(Secrets.mask(Secrets.collect({ A: "first-secret\r\n  second-secret \nshort" }), "second-secret short")).toBe(
      "*** short"
    )
  })

  it("[C10:unit] are masked also where a text is cut in the middle of one", () => {
    const secret = fc.string({ minLength: 8, maxLength: 20 }).filter((text) => text.trim() === text)
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1, maxLength: 3 }), fc.string(), fc.nat(30), (values, before, cut) => {
        const secrets = Secrets.collect(Object.fromEntries(values.map((value, index) => [`V${index}`, value])))
        const [first = ""] = values
        const shown = Secrets.maskCut(secrets, `${before}${first}`.slice(0, before.length + cut))
        for (const one of secrets) {
          expect(shown.includes(one)).toBe(false)
          for (let length = 3; length < one.length; length++) {
            expect(shown.endsWith(one.slice(0, length)) && !"***".endsWith(one.slice(0, length))).toBe(false)
          }
        }
      }),
      { numRuns: 300 }
    )
    const secrets = Secrets.collect({ A: "sk-0123456" })
    expect(["sk", "sk-", "a sk-012345", "a sk-0123456", "a sk-01 "].map((text) => Secrets.maskCut(secrets, text)))
      .toEqual(["sk", "***", "a ***", "a ***", "a sk-01 "])
  })
})

describe("credentials of URLs in the environment", () => {
  it.each<[name: string, value: string, hidden: ReadonlyArray<string>, shown: ReadonlyArray<string>]>([
    ["HTTP_PROXY", "http://user-name:pass-word@proxy:8080/x", ["user-name:pass-word", "pass-word"], [
      "user-name",
      "proxy"
    ]],
    ["https_proxy", "user-name:pass-word@proxy:8080", ["user-name:pass-word", "pass-word"], ["proxy:8080"]],
    ["NO_PROXY", "user-name:pass-word@proxy", [], ["pass-word"]],
    ["OTHER", "user-name:pass-word@proxy", [], ["pass-word"]],
    ["URL", "a https://user:p%40ss%2Fword@host?a=b@c", [
      "user:p%40ss%2Fword",
      "user:p@ss/word",
      "p%40ss%2Fword",
      "p@ss/word"
    ], ["a=b@c"]],
    ["URL", "@//@", [], ["@//@"]],
    ["URL", "https://long-token-alone@host", ["long-token-alone"], ["host"]],
    ["URL", "ssh://somebody-long@host", [], ["somebody-long"]],
    ["URL", "ssh://somebody:pass-word@host", ["pass-word"], ["host"]],
    ["URL", "https://a:b@example.com/path", ["//a:b@example.com"], ["a:b", "/path"]],
    ["URL", "https://host/path@more-than-eight", [], ["more-than-eight"]],
    ["URL", "https://user:a:b:c-d-e-f@host", ["a:b:c-d-e-f"], []],
    ["URL", "https://user:%zz-not-encoded@host", ["%zz-not-encoded"], []],
    ["URL", `https://user:pass-word@host ${"x".repeat(32_768)}`, [], ["pass-word"]]
  ])("[C10:unit] are masked as written and decoded: %s=%s", (name, value, hidden, shown) => {
    const secrets = Secrets.collect(undefined, [], { [name]: value })
    for (const one of hidden) expect([one, Secrets.mask(secrets, `<${one}>`)]).toEqual([one, "<***>"])
    for (const one of shown) expect([one, Secrets.mask(secrets, `<${one}>`)]).toEqual([one, `<${one}>`])
  })
})

describe("arguments", () => {
  it.each<[given: ReadonlyArray<string>, shown: ReadonlyArray<string>]>([
    [["--api-key", "abc", "--port", "80"], ["--api-key", "***", "--port", "80"]],
    [["--api-key", "--verbose", "abc"], ["--api-key", "--verbose", "abc"]],
    [["--api-key=abc", "def"], ["--api-key=***", "def"]],
    [["token", "abc"], ["token", "abc"]],
    [["--env", "GITHUB_TOKEN=abc"], ["--env", "GITHUB_TOKEN=***"]],
    [["-eGITHUB_PAT=abc", "--env=MODE=x", "auth/image"], ["-eGITHUB_PAT=***", "--env=MODE=x", "auth/image"]],
    [["--header=X-Api-Key:abc"], ["--header=X-Api-Key:***"]],
    [["--header", "Authorization: Bearer abc"], ["--header", "Authorization: Bearer ***"]],
    [["Bearer abc"], ["Bearer ***"]],
    [["--x=y=PASSWORD=abc"], ["--x=y=PASSWORD=***"]],
    [["--token="], ["--token="]],
    [["--name", "abc"], ["--name", "abc"]],
    [["--pat", "abc"], ["--pat", "***"]],
    [["--path", "abc"], ["--path", "abc"]],
    [["--github-pat", "abc"], ["--github-pat", "***"]],
    [["https://user:word@host/a?key=abc&x=1#f"], ["https://***@host/a?key=***&x=***"]],
    [["--url=https://host/?a=b"], ["--url=https://host/?a=***"]],
    [["/path/to@file", "me@host"], ["/path/to@file", "me@host"]]
  ])("[C10:unit] show nothing that looks like a secret: %j", (given, shown) => {
    expect(Secrets.args(none, given)).toEqual(shown)
    expect(Secrets.commandLine(none, "run", given)).toBe(["run", ...shown].join(" "))
  })

  it("[C10:unit] that are secrets are masked wherever else they occur, and so is the command", () => {
    const given = ["--api-key", "key-of-the-api", "https://name-of-user:word-of-user@host", "?token=token-in-url"]
    const secrets = Secrets.collect(undefined, given)
    for (const one of ["key-of-the-api", "word-of-user", "name-of-user:word-of-user", "token-in-url"]) {
      expect([one, Secrets.mask(secrets, `a ${one}`)]).toEqual([one, "a ***"])
    }
    expect(Secrets.commandLine(secrets, "/opt/key-of-the-api/run", ["key-of-the-api.log"])).toBe("/opt/***/run ***.log")
  })
})
