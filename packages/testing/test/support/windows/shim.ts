/** The part of `@effect/vitest` for tests under Wine: vitest itself would be a thousand files for it to read. */
import { Effect } from "effect"
import type { Scope } from "effect"
import { writeFileSync } from "node:fs"

export { assert } from "vitest"

export interface Result {
  readonly name: string
  readonly error?: string
}

interface Test {
  readonly name: string
  readonly run: () => Promise<unknown>
}

interface Group {
  readonly isConcurrent: boolean
  readonly members: Array<Test | Group>
}

const root: Group = { isConcurrent: false, members: [] }
let group = root
let path: ReadonlyArray<string> = []

const inGroup = (isConcurrent: boolean) => (name: string, define: () => void): void => {
  const outer = { group, path }
  const inner: Group = { isConcurrent, members: [] }
  group.members.push(inner)
  group = inner
  path = [...path, name]
  define()
  ;({ group, path } = outer)
}

export const describe = Object.assign(inGroup(false), {
  concurrent: inGroup(true),
  each: <A>(all: ReadonlyArray<A>) => (name: string, define: (one: A) => void): void => {
    for (const one of all) inGroup(false)(name.replace("%s", String(one)), () => define(one))
  }
})

const test = <R>(run: (effect: Effect.Effect<unknown, unknown, R>) => Promise<unknown>) => {
  const add = (name: string, body: () => Effect.Effect<unknown, unknown, R>): void => {
    group.members.push({ name: [...path, name].join(" > "), run: () => run(body()) })
  }
  return Object.assign(add, { skipIf: (condition: boolean) => condition ? () => {} : add })
}

export const it = {
  live: test<never>((effect) => Effect.runPromise(effect)),
  scopedLive: test<Scope.Scope>((effect) => Effect.runPromise(Effect.scoped(effect)))
}

const testsOf = ({ members }: Group): ReadonlyArray<Test> =>
  members.flatMap((member) => "run" in member ? [member] : testsOf(member))

const words = (error: unknown): string => error instanceof Error ? `${error.stack}` : String(error)

const run = async ({ isConcurrent, members }: Group, skip: ReadonlyArray<string>): Promise<ReadonlyArray<Result>> => {
  const one = (member: Test | Group): Promise<ReadonlyArray<Result>> => {
    if (!("run" in member)) return run(member, skip)
    const { name } = member
    if (skip.includes(name)) return Promise.resolve([])
    return member.run().then(() => [{ name }], (error: unknown) => [{ name, error: words(error) }])
  }
  if (isConcurrent) return (await Promise.all(members.map(one))).flat()
  const results: Array<Result> = []
  for (const member of members) results.push(...await one(member))
  return results
}

setImmediate(() => {
  const [command, file = "", skip = "[]"] = process.argv.slice(2)
  if (command === "list") process.stdout.write(JSON.stringify(testsOf(root).map(({ name }) => name)))
  else {
    void run(root, JSON.parse(skip) as ReadonlyArray<string>).then((results) => {
      writeFileSync(file, JSON.stringify(results))
      process.exit()
    })
  }
})
