import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as SpawnFailure from "../src/SpawnFailure.js"

let directory = ""
let file = ""
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "stdio-"))
  file = join(directory, "file")
  writeFileSync(file, "")
})
afterAll(() => rmSync(directory, { recursive: true }))

const failed = (code: string | undefined, command = "foo", cwd?: string) =>
  SpawnFailure.make(Object.assign(new Error("of Node, with hush"), code === undefined ? {} : { code }), {
    command,
    cwd,
    show: (text) => text.replaceAll("hush", "***"),
    showArgs: (args) => args.map((text) => text.replaceAll("hush", "***"))
  })

const said = (...from: Parameters<typeof failed>): string => failed(...from).message

describe("why a process could not be started", () => {
  it("[S6:unit] what passes by itself is tried again, and everything else is not", () => {
    for (const code of ["EAGAIN", "EMFILE", "ENFILE", "ENOMEM"]) {
      const error = failed(code)
      assert.deepInclude(error, { reason: "spawn", permanent: false })
      assert.strictEqual(
        error.message,
        `command "foo" could not be started: the system is short of memory, processes or open files (${code})`
      )
    }
    for (const code of [undefined, "ENOENT", "EACCES", "E2BIG", "EIO"]) {
      assert.deepInclude(failed(code), { reason: "spawn", permanent: true })
    }
    assert.strictEqual(said("EIO"), 'command "foo" could not be started (EIO)')
    assert.strictEqual(said(undefined), 'command "foo" could not be started (the system gave no reason)')
  })

  it("[S6:unit] each reason of the system has its advice", () => {
    const foo = 'command "foo"'
    for (const code of ["ENOENT", "ENOTDIR"]) {
      assert.strictEqual(said(code), `${foo} was not found in PATH: install it, or give its full path`)
      assert.strictEqual(said(code, "/no/such"), 'command "/no/such" does not exist: correct it')
      assert.strictEqual(said(code, "no\\such"), 'command "no\\such" does not exist: correct it')
      assert.include(said(code, file), "names an interpreter in its first line that does not exist")
    }
    assert.strictEqual(said("EACCES", directory), `command "${directory}" is a directory: give the program to start`)
    assert.strictEqual(
      said("EACCES", file),
      `command "${file}" is not executable: make it so (chmod +x), or correct it`
    )
    for (const code of ["ENOEXEC", "EFTYPE"]) {
      assert.include(said(code), `${foo} is not a program that this system can run`)
    }
    assert.include(said("E2BIG"), `environment of ${foo} are too long for the system`)
    assert.include(said("ERR_INVALID_ARG_VALUE"), `${foo}, one of args or a value of env contains a null character`)
    assert.strictEqual(said("ENOENT", ""), "command is empty: give the program to start")
  })

  it("[S6:unit] where the directory is the reason it is named, and where it is not the command is", () => {
    for (const code of ["ENOENT", "ENOTDIR", "EACCES"]) {
      assert.strictEqual(said(code, "foo", "/no/such"), 'cwd "/no/such" does not exist: create it or correct it')
      assert.strictEqual(said(code, "foo -x", file), `cwd "${file}" is not a directory: correct it`)
      assert.notInclude(said(code, "foo", directory), "cwd")
    }
    assert.notInclude(said("EMFILE", "foo", "/no/such"), "cwd")
    assert.notInclude(said("ENOENT", "foo"), "cwd")
    assert.include(said("ENOENT", "foo", "/hush"), 'cwd "/***"')
  })

  it.skipIf(process.getuid?.() === 0 || process.platform === "win32")(
    "[S6:unit] a directory that may not be entered is named (root may enter all)",
    () => {
      const closed = join(directory, "closed")
      mkdirSync(closed, { mode: 0o600 })
      assert.strictEqual(
        said("EACCES", "foo", closed),
        `cwd "${closed}" cannot be entered: correct it or its permissions`
      )
    }
  )

  it("[S6:unit] arguments in the place of the command are shown as args, without secrets", () => {
    assert.strictEqual(
      said("ENOENT", `npx -y "a b" 'c d' --token=hush`),
      'command "npx -y a b c d --token=***" contains arguments, and there is no program of that name: arguments belong in '
        + 'args, as in command: "npx", args: ["-y", "a b", "c d", "--token=***"]'
    )
    assert.include(said("ENOTDIR", `${file} -x`), `command: "${file}", args: ["-x"]`)
    for (const path of [`${directory}/no such`, "no\\such program", `${directory} -x`]) {
      assert.notInclude(said("ENOENT", path), "arguments")
    }
    for (const [code, command] of [["EACCES", "npx -y"], ["ENOENT", "npx"], ["ENOENT", " "]] as const) {
      assert.notInclude(said(code, command), "arguments")
    }
  })

  it("[S6:unit] what only a shell expands is named", () => {
    const cases: ReadonlyArray<readonly [string, string]> = [
      ["~", "~"],
      ["~/server", "~"],
      ["~\\server", "~"],
      ["/x/$HOME/y", "$HOME"],
      ["/x/${HOME}/y", "${HOME}"],
      ["%APPDATA%\\y", "%APPDATA%"]
    ]
    for (const [path, literal] of cases) {
      assert.include(said("ENOENT", path), `: no shell expands ${literal}; give the full path`, path)
      assert.include(said("ENOENT", "foo", path), `does not exist: no shell expands ${literal}; give the full path`)
    }
    for (const path of ["/x~", "/x/~/y", "~me", "/$", "/50%/x", "/x%%y"]) {
      assert.notInclude(said("ENOENT", path), "expands")
    }
  })

  it("[C10:unit] of the error of Node only the code is kept", () => {
    const { cause } = failed("EIO")
    assert.deepInclude(cause, { message: "spawn: EIO", code: "EIO" })
    assert.deepInclude(failed(undefined).cause, { message: "spawn: no reason given" })
  })
})
