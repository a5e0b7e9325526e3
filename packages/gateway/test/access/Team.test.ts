import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { chatty } from "../support/Talk.js"
import { talking, team } from "../support/Team.js"

const promise = <A>(make: () => Promise<A>) => Effect.promise(make)

const eras = [["with sessions", false], ["without", true]] as const

const servers = () => [
  chatty("open", { says: "open to all" }),
  chatty("closed", { says: "hush" })
]

const rules = { servers: ["open"], tools: { hide: ["open__crash"] } }

describe.each(eras)("a client with rules, in the era %s", (_, isStateless) => {
  it.scopedLive(
    "[G22] sees nothing of what it may not use, and is answered as if there were none",
    () =>
      Effect.gen(function*() {
        const { url } = yield* team(servers(), { ci: rules, all: {} })
        const ci = yield* talking(url, "ci-token", { isStateless })
        const all = yield* talking(url, "all-token", { isStateless })
        yield* promise(async () => {
          const [few, many] = [await ci.tools(), await all.tools()]
          expect(many).toContain("closed__pid")
          expect(few.toSorted()).toEqual(
            many.filter((name) => name.startsWith("open__") && name !== "open__crash").toSorted()
          )
          const resources = async (one: typeof ci) =>
            (await one.result("resources/list")).resources.map(({ uri }: { uri: string }) => uri).filter((
              uri: string
            ) => uri !== "lifeline://status")
          expect(await resources(ci)).toEqual(["test://one", "test://two"])
          expect((await resources(all)).length).toBe(4)
          const hidden = (await resources(all))[2] as string

          const { instructions } = await ci.begin().then((first) => first).catch(() => ({ instructions: "" }))
          expect(instructions ?? "").not.toContain("hush")
          expect((await ci.result("tools/call", { name: "lifeline__status" })).structuredContent.servers.map((
            { name }: { name: string }
          ) => name)).toEqual(["open"])

          // Of the same form, whatever there is behind it.
          const said = async (method: string, params: object, name: string) =>
            JSON.stringify(await ci.error(method, params)).replaceAll(name, "NAME")
          expect(await said("tools/call", { name: "open__crash" }, "open__crash")).toBe(
            await said("tools/call", { name: "open__nothing" }, "open__nothing")
          )
          expect((await said("tools/call", { name: "closed__pid" }, "closed")).replaceAll("pid", "")).toBe(
            (await said("tools/call", { name: "nosuch__pid" }, "nosuch")).replaceAll("pid", "")
          )
          expect(await said("resources/read", { uri: hidden }, encodeURIComponent("closed"))).toBe(
            (await said("resources/read", { uri: hidden.replace("closed", "nosuch") }, "nosuch")).replaceAll(
              "nosuch",
              "NAME"
            )
              .replaceAll("closed", "NAME")
          )
          expect(await said("tools/call", { name: "closed__pid" }, "x")).not.toContain('"open, closed"')
          expect(Number(await ci.call("open__pid"))).toBeGreaterThan(0)
        })
      }),
    120_000
  )
})
