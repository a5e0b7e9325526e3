import { McpConfig } from "@mcp-lifeline/config"
import { Effect, Exit, Logger, Redacted, Scope } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as AccessInUse from "../../src/access/AccessInUse.js"
import * as NamedCaller from "../../src/access/NamedCaller.js"

const names = ["ann", "ben", "ci", "dan"]
const tokens = ["token-one-of-them", "token-two-of-them", "token-of-gateway"]

type Command =
  /** The file names these clients, each with a token; or it has neither clients nor groups. */
  | { readonly do: "use"; readonly clients: ReadonlyArray<readonly [name: string, token: string]> | undefined }
  | { readonly do: "save"; readonly file: number; readonly token: string }
  /** The token of the gateway itself is another one. */
  | { readonly do: "gateway"; readonly token: string }

const token = fc.constantFrom(...tokens)
const clients = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), token), { selector: ([name]) => name })
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("use" as const), clients: fc.option(clients, { nil: undefined }) })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("save" as const), file: fc.nat(9), token }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("gateway" as const), token }) }
)

type File = { readonly name: string; token: string; readonly followers: Set<(line: string) => Effect.Effect<void>> }

const shared = (files: ReadonlyArray<File>, gateway: string): boolean => {
  const all = [...files.map(({ token }) => token), gateway]
  return new Set(all).size < all.length
}

const run = (first: Command & { readonly do: "use" }, commands: ReadonlyArray<Command>): Promise<void> => {
  const files: Array<File> = []
  const loaded = ({ clients }: typeof first): readonly [AccessInUse.Loaded, ReadonlyArray<File>] => {
    if (clients === undefined) return [{ rules: undefined, clients: [] }, []]
    const given = Object.fromEntries(clients.map(([name, token]) => [name, { token }]))
    const { value: rules } = McpConfig.readAccess({ clients: given, groups: undefined }, { variables: {} })
    const own = clients.map(([name, token]): File => ({ name, token, followers: new Set() }))
    files.push(...own)
    return [
      {
        rules,
        clients: own.map((file) => ({
          name: file.name,
          caller: NamedCaller.of(file.name),
          problem: (message) => ({ file: "mcp.json", line: 1, key: file.name, message }),
          tokens: {
            current: () => [Redacted.make(file.token)],
            follow: (changed) =>
              Effect.asVoid(Effect.acquireRelease(
                Effect.sync(() => void file.followers.add(changed)),
                () => Effect.sync(() => void file.followers.delete(changed))
              ))
          }
        }))
      },
      own
    ]
  }
  const warnings: Array<string> = []
  const logger = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => warnings.push(String(message))))
  return Effect.gen(function*() {
    let gateway = "token-of-gateway"
    let [began, own] = loaded(first)
    let isNeeded = began.rules !== undefined
    let [madeNeeded, changes] = [0, 0]
    let removed: ReadonlyArray<string | undefined> = []
    const lines: Array<string> = []
    const scope = yield* Scope.make()
    const access = yield* Scope.extend(
      AccessInUse.make(began, (line) => Effect.sync(() => void lines.push(line)), () => [Redacted.make(gateway)]),
      scope
    )
    yield* access.whenNeeded(Effect.sync(() => void madeNeeded++))
    const wasNeeded = isNeeded
    access.control.whenChanged((gone) => {
      changes++
      removed = gone.map(({ name }) => name)
    })
    const check = (): void => {
      // Each file of a client that is let in is followed once, and no other.
      expect(files.map(({ followers, name }) => [name, followers.size]))
        .toEqual(files.map((file) => [file.name, own.includes(file) ? 1 : 0]))
      expect(access.holders().map(({ caller, tokens }) => [caller.name, ...tokens.map(Redacted.value)]))
        .toEqual(own.map(({ name, token }) => [name, token]))
      expect([access.isNeeded(), madeNeeded]).toEqual([isNeeded, isNeeded && !wasNeeded ? 1 : 0])
      expect(access.problem() !== undefined).toBe(shared(own, gateway))
    }
    check()
    for (const one of commands) {
      const [before, linesBefore, warned] = [changes, lines.length, warnings.length]
      switch (one.do) {
        case "use": {
          const [next, files] = loaded(one)
          const gone = own.map(({ name }) => name).filter((name) => !files.some((file) => file.name === name))
          yield* access.use(next)
          own = files
          isNeeded ||= next.rules !== undefined
          expect([changes, removed]).toEqual([before + 1, gone])
          break
        }
        case "save": {
          const file = files[one.file % Math.max(1, files.length)]
          if (file === undefined) break
          file.token = one.token
          yield* Effect.forEach(file.followers, (changed) => changed(`${file.name}: read again`))
          const isUsed = own.includes(file)
          expect([changes, lines.length]).toEqual([before + Number(isUsed), linesBefore + Number(isUsed)])
          if (isUsed) expect([lines.at(-1), removed]).toEqual([`${file.name}: read again`, []])
          break
        }
        case "gateway":
          gateway = one.token
          yield* access.compare
          // The same is not said twice.
          yield* access.compare
          expect(warnings.length).toBeLessThanOrEqual(warned + 1)
      }
      if (!shared(own, gateway)) expect(warnings).toHaveLength(warned)
      else if (one.do === "gateway") expect(warnings.at(-1)).toBe(access.problem())
      check()
    }
    yield* Scope.close(scope, Exit.void)
    expect(files.filter(({ followers }) => followers.size > 0)).toEqual([])
  }).pipe(Effect.provide(logger), Effect.runPromise)
}

describe("rules and tokens that are in use", () => {
  it("[G22:unit] are those of the file now, and the files of removed clients are let go, however they come, go and are saved", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.option(clients, { nil: undefined }),
        fc.array(command, { maxLength: 25 }),
        (clients, commands) => run({ do: "use", clients }, commands)
      ),
      { numRuns: 150 }
    )
  })
  it("[G22:unit] a token that two have is named where the file has it now, also after the second save", async () => {
    const loaded = (line: number): AccessInUse.Loaded => ({
      rules: undefined,
      clients: ["ann", "ben"].map((name) => ({
        name,
        caller: NamedCaller.of(name),
        problem: (message) => ({ file: "mcp.json", line, key: `clients.${name}`, message }),
        tokens: { current: () => [Redacted.make("a-token-of-both")], follow: () => Effect.void }
      }))
    })
    await Effect.gen(function*() {
      const access = yield* AccessInUse.make(loaded(1), () => Effect.void)
      for (const line of [1, 2, 3]) {
        expect(access.problem()).toMatch(new RegExp(`^mcp\\.json:${line}: clients\\.`))
        yield* access.use(loaded(line + 1))
      }
    }).pipe(Effect.scoped, Effect.runPromise)
  })
})
