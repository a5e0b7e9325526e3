import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { AuditFile } from "../../src/audit/AuditFile.js"
import { type Fate, MemoryDisk } from "../support/MemoryDisk.js"

type Command =
  | { readonly do: "write"; readonly lengths: ReadonlyArray<number> }
  | { readonly do: "fates" | "others"; readonly fates: ReadonlyArray<Fate> }
  | { readonly do: "step"; readonly count: number }
  | { readonly do: "settle" | "move" | "pause" }

const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 3, arbitrary: fc.constantFrom<Fate>("ENOSPC", "EIO") },
  { weight: 1, arbitrary: fc.constant<Fate>("all") }
)
const lengths = fc.array(fc.nat(30), { minLength: 1, maxLength: 4 })
const others = fc.array(fc.constantFrom<Fate>("all", "EMFILE", "EACCES"), { maxLength: 5 })
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("write" as const), lengths }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("fates" as const), fates: fc.array(fate, { maxLength: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("others" as const), fates: others }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("step" as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("settle" as const, "move" as const, "pause" as const) }) }
)

interface Line {
  readonly text: string
  readonly told: Array<boolean>
}

const befores = ["", "before\n", "cut o"] as const
type Before = (typeof befores)[number]

const run = async (
  full: "stop" | "go-on",
  size: number,
  before: Before,
  commands: ReadonlyArray<Command>,
  isFullAtEnd: boolean
): Promise<void> => {
  const path = "calls"
  const disk = new MemoryDisk()
  if (before !== "") disk.put(path, before)
  const lines: Array<Line> = []
  const troubles: Array<string | undefined> = []
  const opening = AuditFile.open({
    path,
    size,
    // More than there can be, so that no line is removed.
    files: commands.reduce((sum, one) => sum + (one.do === "write" ? one.lengths.length : 0), 3),
    full,
    onTrouble: (trouble, lost) => {
      troubles.push(trouble?.reason)
      expect(lost).toBe(file.lost)
    }
  }, disk)
  await disk.settle()
  const file = await opening
  const write = (length: number): void => {
    const line: Line = { text: `${lines.length} ${"x".repeat(length)}.`, told: [] }
    lines.push(line)
    file.write(line.text, (isWritten) => line.told.push(isWritten))
  }
  const refused = (): number => lines.filter(({ told: [isWritten] }) => isWritten === false).length
  const settled = async (): Promise<void> => {
    await disk.settle()
    expect(lines.filter(({ told }) => told.length !== 1)).toEqual([])
    expect(disk.openFiles).toBeLessThanOrEqual(1)
    expect(file.lost).toBe(full === "stop" ? 0 : refused())
  }
  let moved = 0
  for (const one of commands) {
    switch (one.do) {
      case "write":
        one.lengths.forEach(write)
        break
      case "fates":
        disk.writes.push(...one.fates)
        break
      case "others":
        disk.others.push(...one.fates)
        break
      case "step":
        for (let i = 0; i < one.count; i++) await disk.step()
        break
      case "settle":
        await settled()
        break
      case "move":
        disk.move(path, `moved.${moved++}`)
        break
      case "pause":
        await disk.pass()
    }
  }
  await settled()
  // What a disk takes in pieces is written all the same.
  const fails = (one: Fate): boolean => typeof one === "string" && one !== "all"
  if (!commands.some((one) => "fates" in one && one.fates.some(fails))) expect([refused(), troubles]).toEqual([0, []])
  for (const fates of [disk.writes, disk.others]) fates.length = 0
  if (isFullAtEnd) {
    disk.writes.push(...Array.from({ length: 10 }, (): Fate => "ENOSPC"))
    const [given, lost] = [lines.length, file.lost]
    write(3)
    write(5)
    const closing = file.close()
    write(7)
    await disk.settle()
    await closing
    expect(lines.slice(given).map(({ told }) => told)).toEqual([[false], [false], [false]])
    expect([disk.openFiles, disk.timers]).toEqual([0, 0])
    // What is given to a closed file is counted by nobody.
    if (full === "go-on") expect(file.lost).toBe(lost + 2)
    else expect(file.lost).toBeGreaterThanOrEqual(2)
    return
  }
  // The timer shows that there is room again, or the next line, which takes those with it that wait.
  if (commands.length % 2 === 0) await disk.pass()
  write(3)
  await settled()
  expect(lines.at(-1)?.told).toEqual([true])
  expect(file.trouble).toBeUndefined()
  // What is said first is a reason, nothing is said twice, and the last is that it is well.
  expect(troubles.filter((reason, index) => reason === (index === 0 ? undefined : troubles[index - 1]))).toEqual([])
  expect(troubles.at(-1)).toBeUndefined()
  const closing = file.close()
  await disk.settle()
  await closing
  expect([disk.openFiles, disk.timers]).toEqual([0, 0])
  // Nobody else may read it, not even for a moment.
  expect(disk.modes.filter((mode) => mode !== 0o600)).toEqual([])

  const linesOf = (name: string): ReadonlyArray<string> => disk.text(name).split("\n").slice(0, -1)
  const all = disk.names.flatMap(linesOf)
  // A file may be moved, or full, before what is torn at its end is ended.
  const rests = disk.names.flatMap((name) => disk.text(name).split("\n").at(-1) ?? [])
  const first = before.trim()
  if (first !== "") {
    const given = all.includes(first) ? all : rests
    expect(given.splice(given.indexOf(first), 1)).toEqual([first])
  }
  // Only a line that is longer than that makes a file larger.
  const longest = Math.max(...lines.map(({ text }) => text.length + 1))
  expect(disk.names.filter((name) => disk.text(name).length > Math.max(size, longest))).toEqual([])
  const known = new Map(lines.map((line) => [line.text, line]))
  const count = new Map<string, number>()
  // What is not a line is the beginning of one, and nothing is behind it.
  const isTorn = (one: string): boolean => lines.some(({ text }) => text.startsWith(one))
  expect(rests.filter((one) => !isTorn(one))).toEqual([])
  for (const one of all) {
    if (known.has(one)) count.set(one, (count.get(one) ?? 0) + 1)
    else expect([one, one !== "" && isTorn(one)]).toEqual([one, true])
  }
  for (const { text, told } of lines) {
    const found = count.get(text) ?? 0
    // All of a line but its end may be there when it is said that it is not.
    if (told[0] === true) expect([text, found]).toEqual([text, 1])
    else if (full === "go-on") expect(found).toBeLessThanOrEqual(1)
    else expect([text, found > 0]).toEqual([text, true])
  }
  // Moved files are older than what follows them, but not than rotated ones.
  if (moved > 0) return
  const number = (name: string) => Number(name.split(".")[1] ?? 0)
  const inOrder = disk.names.toSorted((a, b) => number(b) - number(a)).flatMap((name) =>
    linesOf(name).filter((one) => known.get(one)?.told[0] === true)
  )
  expect(inOrder).toEqual(lines.flatMap(({ text, told: [isWritten] }) => isWritten === true ? [text] : []))
}

const writing: ReadonlyArray<Command> = [{ do: "write", lengths: [2] }, { do: "settle" }]

const examples = [
  // A line that is torn, and so many bytes of what follows it.
  ...[0, 1, 2, 5, 6].map((short): Array<Fate> => [3, "ENOSPC", short, "ENOSPC"]),
  [0, 1, 2]
].flatMap((fates) =>
  [false, true].map((isFullAtEnd): [number, "", Array<Command>, boolean] => [
    1_000_000,
    "",
    [{ do: "fates", fates }, ...writing, ...writing],
    isFullAtEnd
  ])
)

describe("the file of the audit on a disk that fails", () => {
  it.each(["go-on", "stop"] as const)(
    "[G23:unit] %s: has each line that it has said yes to once and whole, counts the others, and leaves no file open",
    async (full) => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom<number>(30, 60, 200, 1_000_000),
          fc.constantFrom<Before>(...befores),
          fc.array(command, { maxLength: 20 }),
          fc.boolean(),
          (size, before, commands, isFullAtEnd) => run(full, size, before, commands, isFullAtEnd)
        ),
        { numRuns: 100, examples }
      )
    }
  )

  it("[G23:unit] is not open where it could not be opened, or where it could not be looked at", async () => {
    for (const fates of [["EMFILE"], ["all", "EMFILE"]] as const) {
      const disk = new MemoryDisk()
      disk.put("calls", "cut o")
      disk.others.push(...fates)
      const opening = AuditFile.open(
        { path: "calls", size: 1000, files: 1, full: "stop", onTrouble: () => undefined },
        disk
      ).then(() => "open", ({ code }: { readonly code: string }) => code)
      await disk.settle()
      expect([await opening, disk.openFiles]).toEqual(["EMFILE", 0])
    }
  })
})
