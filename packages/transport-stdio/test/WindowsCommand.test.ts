import { assert, describe, it } from "vitest"
import * as Environment from "../src/Environment.js"
import * as SpawnFailure from "../src/SpawnFailure.js"
import * as WindowsCommand from "../src/WindowsCommand.js"

const env = { Path: `C:\\node;"C:\\Program Files\\x";;D:\\tools`, ComSpec: "C:\\Windows\\System32\\cmd.exe" }

const disk = (contents: Readonly<Record<string, string>>): WindowsCommand.Files => {
  const all = new Map(Object.entries(contents).map(([path, text]) => [path.toLowerCase(), text]))
  return { isFile: (path) => all.has(path.toLowerCase()), read: (path) => all.get(path.toLowerCase()) ?? "" }
}

const resolve = (
  command: string,
  args: ReadonlyArray<string>,
  contents: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string>> = env
) => WindowsCommand.resolve(command, args, more, "C:\\work", disk(contents))

const refusal = (...from: Parameters<typeof resolve>): string => {
  try {
    resolve(...from)
  } catch (error) {
    return SpawnFailure.make(error, {
      command: from[0],
      cwd: undefined,
      platform: "win32",
      show: (text) => text.replaceAll("hush", "***"),
      showArgs: (args) => args
    }).message
  }
  return assert.fail("it can be started")
}

const shell = (line: string): WindowsCommand.Start => ({
  file: "C:\\Windows\\System32\\cmd.exe",
  args: ["/e:ON", "/v:OFF", "/d", "/s", "/c", `"${line}"`],
  verbatim: true
})

const line = (...args: ReadonlyArray<string>): string =>
  resolve("npx", args, { "C:\\node\\npx.cmd": "" }).args.at(-1)?.slice(1, -1).replace(`"C:\\node\\npx.cmd" `, "") ?? ""

/** What the interpreter takes for quoted: nothing else of it could be a command. */
const unquoted = (text: string): string => text.split(`"`).filter((_, index) => index % 2 === 0).join("")

/** What programs make of a command line (the rules of Microsoft's C library). */
const parsed = (text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  let rest = text
  while (rest !== "") {
    let word = ""
    let quoted = false
    while (rest !== "" && (quoted || rest[0] !== " ")) {
      const [all = "", slashes = "", quote = ""] = /^(\\*)("?)/.exec(rest) ?? []
      if (quote === "") {
        word += slashes === "" ? rest[0] : slashes
        rest = rest.slice(slashes === "" ? 1 : slashes.length)
        continue
      }
      word += "\\".repeat(slashes.length / 2)
      rest = rest.slice(all.length)
      if (slashes.length % 2 === 1) word += `"`
      else if (quoted && rest[0] === `"`) {
        word += `"`
        rest = rest.slice(1)
      } else quoted = !quoted
    }
    found.push(word)
    rest = rest.replace(/^ +/, "")
  }
  return found
}

/** Another parse, as by `call` in a script: variables that nobody has set, up to a colon or a percent sign, are removed. */
const parsedAgain = (text: string): string => text.replace(/%%|%[^%:]*[%:]|%/g, (found) => found === "%%" ? "%" : "")

const nasty = [
  "",
  " ",
  `a"b`,
  `a"&calc`,
  `"`,
  `""`,
  `\\"&calc`,
  `tail\\`,
  `tail\\\\`,
  `\\\\"x`,
  "a&b",
  "a|b",
  "a>b<c",
  "^caret^",
  "(a)",
  "a,b;c=d",
  "!PATH!",
  "%PATH%",
  "100%",
  "%",
  "%%",
  "%1 %* %~dp0",
  "%CMDCMDLINE:~-1%&calc",
  "%x:&calc&",
  `%"&calc&"%`,
  `\\%\\`,
  `%x:a="&calc&"%`,
  "https://x/y?z=%20",
  "ä-漢字-🎈",
  "\t"
]

describe("the command of a server on Windows", () => {
  it("[S10] is looked up along the server's PATH and PATHEXT", () => {
    const files = {
      "C:\\node\\npx": "#!/usr/bin/env node",
      "C:\\node\\npx.cmd": "",
      "C:\\Program Files\\x\\uvx.exe": "",
      "D:\\tools\\npx.exe": "",
      "D:\\tools\\a.b.exe": "",
      "C:\\work\\here.exe": "",
      "C:\\work\\bin\\tool.bat": ""
    }
    const file = (command: string, more?: Readonly<Record<string, string>>) => resolve(command, [], files, more).file
    assert.deepStrictEqual(resolve("npx", ["-y"], files), shell(`"C:\\node\\npx.cmd" "-y"`))
    assert.deepStrictEqual(resolve("uvx", ["a b"], files), {
      file: "C:\\Program Files\\x\\uvx.exe",
      args: ["a b"],
      verbatim: false
    })
    assert.strictEqual(file("UVX.EXE"), "C:\\Program Files\\x\\UVX.EXE")
    assert.strictEqual(file("a.b"), "D:\\tools\\a.b.exe")
    assert.strictEqual(
      file("npx", { PATH: "C:\\node;D:\\tools", pathext: ".EXE;.CMD" }),
      "C:\\Windows\\System32\\cmd.exe"
    )
    assert.strictEqual(file("npx", { PATH: "C:\\node;D:\\tools", pathext: ".EXE" }), "D:\\tools\\npx.exe")
    assert.deepStrictEqual(resolve("bin/tool", [], files), shell(`"C:\\work\\bin\\tool.bat"`))
    assert.deepStrictEqual(resolve(".\\bin\\tool.bat. ", [], { "C:\\work\\bin\\tool.bat. ": "" }).verbatim, true)
    assert.strictEqual(file(".\\here"), "C:\\work\\here.exe")
    // The current folder is not searched, whatever cmd.exe would do.
    assert.include(refusal("here", [], files), "was not found")
    assert.strictEqual(
      resolve("npx", [], files, { PATH: "C:\\node", SystemRoot: "D:\\W" }).file,
      "D:\\W\\System32\\cmd.exe"
    )
  })

  it("[S10] a script of another interpreter is run with that", () => {
    const files = {
      "C:\\node\\node.exe": "",
      "C:\\node\\server": "#!/usr/bin/env -S node --flag\nrest",
      "C:\\node\\bare": "#!C:/x/node\r\n",
      "C:\\node\\lost": "#!/bin/perl",
      "C:\\node\\ring": "#!ring",
      "C:\\node\\binary": "MZ"
    }
    const node = "C:\\node\\node.exe"
    assert.deepStrictEqual(resolve("server", [`"&`], files), {
      file: node,
      args: ["--flag", "C:\\node\\server", `"&`],
      verbatim: false
    })
    assert.deepInclude(resolve("bare", [], files), { file: node, args: ["C:\\node\\bare"] })
    assert.deepInclude(resolve("binary", ["x"], files), { file: "C:\\node\\binary", args: ["x"] })
    assert.include(
      refusal("lost", [], files),
      `command "lost" needs "perl", which "C:\\node\\lost" names and which was not found (with .COM, .EXE, .BAT, .CMD) in the server's `
        + "PATH: C:\\node; C:\\Program Files\\x; D:\\tools: install it"
    )
    assert.include(refusal("ring", [], files), `needs "ring"`)
  })

  it("[S10] of a script that npm made, the JavaScript is run without cmd.exe, if the script does nothing else", () => {
    const script = (path: string, more = "") =>
      [
        `@ECHO off`,
        "GOTO start",
        ":find_dp0",
        "SET dp0=%~dp0",
        "EXIT /b",
        ":start",
        "SETLOCAL",
        `CALL :find_dp0`,
        more,
        `IF EXIST "%dp0%\\node.exe" (`,
        `  SET "_prog=%dp0%\\node.exe"`,
        ") ELSE (",
        `  SET "_prog=node"`,
        "  SET PATHEXT=%PATHEXT:;.JS;=;%",
        ")",
        "",
        `endLocal & goto #_undefined_# 2>NUL || title %COMSPEC% & "%_prog%"  "%dp0%\\${path}" %*`,
        ""
      ].join("\r\n")
    const files = {
      "C:\\node\\node.exe": "",
      "D:\\tools\\srv.cmd": script("node_modules\\srv\\cli.js"),
      "D:\\tools\\up.cmd": script("..\\srv\\cli.js"),
      "D:\\tools\\set.cmd": script("node_modules\\srv\\cli.js", "@SET A=b"),
      "D:\\tools\\odd.cmd": script(`a" & "b`),
      "D:\\tools\\gone.cmd": script("gone.js"),
      "D:\\tools\\node_modules\\srv\\cli.js": "",
      "D:\\srv\\cli.js": ""
    }
    const cli = "D:\\tools\\node_modules\\srv\\cli.js"
    const args = ["a\nb", ...nasty]
    assert.deepStrictEqual(resolve("srv", args, files), {
      file: "C:\\node\\node.exe",
      args: [cli, ...args],
      verbatim: false
    })
    assert.deepInclude(resolve("up", [], files), { args: ["D:\\srv\\cli.js"] })
    assert.deepInclude(resolve("srv", [], { ...files, "D:\\tools\\node.exe": "" }), { file: "D:\\tools\\node.exe" })
    for (const name of ["set", "odd", "gone"]) {
      assert.deepStrictEqual(resolve(name, [], files), shell(`"D:\\tools\\${name}.cmd"`))
    }
    assert.include(refusal("srv", [], { ...files, "C:\\node\\node.exe": "" }, { Path: "D:\\tools" }), `needs "node"`)
  })

  it("[S10] no argument of a script breaks out of its quotes, also if it is parsed again, and each arrives as it is", () => {
    for (const one of nasty) {
      for (const args of [[one], ["a", one, "z"], ["50%", one, "https://x"], [one, one]]) {
        const text = line(...args)
        assert.deepStrictEqual(parsed(text), args, text)
        for (const text of [line(...args), parsedAgain(line(...args)), parsedAgain(parsedAgain(line(...args)))]) {
          assert.match(unquoted(text), /^[ %:]*$/, text)
        }
        assert.notMatch(text, /%(?!")/)
      }
    }
    assert.strictEqual(line(`a"&calc`), `"a""&calc"`)
    assert.strictEqual(line("%PATH%"), `""%"PATH"%""`)
    assert.strictEqual(line("x\\%a:b"), `"x\\\\"%"a":"b"`)
    assert.strictEqual(line("https://x"), `"https://x"`)
    const path = "C:\\a 100% (x)\\npx.cmd"
    assert.deepStrictEqual(resolve(path, ["a:b"], { [path]: "" }), shell(`"C:\\a 100"%" (x)\\npx.cmd" "a":"b"`))
  })

  it("[S10] what a script cannot be given is refused with the reason", () => {
    const files = { "C:\\node\\npx.cmd": "", "C:\\node\\uvx.exe": "" }
    for (const text of ["a\nb", "a\r", "\n"]) {
      assert.include(
        refusal("npx", ["hush", text], files),
        `command "npx" is a script (C:\\node\\npx.cmd), and one of args contains a line break, which cmd.exe`
      )
      assert.deepStrictEqual(resolve("uvx", [text], files).args, [text])
    }
    assert.lengthOf(resolve("npx", ["x".repeat(8000)], files).args, 6)
    assert.include(refusal("npx", ["x".repeat(8191)], files), "is longer than 8,191 characters, more than cmd.exe")
    assert.lengthOf(resolve("uvx", ["x".repeat(32_000)], files).args, 1)
    assert.strictEqual(
      refusal("uvx", ["x".repeat(32_767)], files),
      'the command line of command "uvx" is longer than 32,766 characters, more than Windows takes: shorten args'
    )
  })

  it("[S10] the message names what was looked for, and where", () => {
    assert.strictEqual(
      refusal("npx", [], {}),
      'command "npx" was not found in PATH (with .COM, .EXE, .BAT, .CMD): looked in C:\\node; C:\\Program Files\\x; D:\\tools: '
        + "install it, or give its full path"
    )
    assert.strictEqual(
      refusal("npx", [], {}, {}),
      `command "npx" was not found, as the server's PATH is empty: give its full path, or set PATH in env`
    )
    assert.strictEqual(
      refusal("C:\\hush\\foo", [], {}),
      'command "C:\\***\\foo" does not exist (with .COM, .EXE, .BAT, .CMD): correct it'
    )
    assert.include(refusal("%APPDATA%\\foo", [], {}), "no shell expands %APPDATA%; give the full path")
    assert.include(refusal("npx -y foo", [], {}), 'command: "npx", args: ["-y", "foo"]')
    const many = Array.from({ length: 100 }, (_, index) => `C:\\folder ${index}`).join(";")
    const long = refusal("npx", [], {}, { PATH: many })
    assert.include(long, "C:\\folder 1; ")
    assert.match(long, / and \d\d more: install it/)
    assert.isBelow(long.length, 600)
    assert.include(refusal("npx", [], {}, { PATH: `C:\\${"x".repeat(500)};D:\\` }), "xxx... and 1 more: install it")
    assert.include(refusal("/", [], {}), "is a directory")
    assert.strictEqual(refusal("", [], {}), "command is empty: give the program to start")
  })

  it("[S10] the reasons of Windows have their words, and none advises chmod", () => {
    const said = (code: string) =>
      SpawnFailure.make(Object.assign(new Error("x"), { code }), {
        command: "foo",
        cwd: undefined,
        platform: "win32",
        show: (text) => text,
        showArgs: (args) => args
      }).message
    assert.include(said("EINVAL"), "is not a program that Windows starts by itself")
    assert.include(said("ENAMETOOLONG"), "longer than Windows takes")
    assert.include(said("ENOENT"), "could not start it (ENOENT)")
    assert.include(said("EFTYPE"), "is not a program that this system can run")
    for (const code of ["EACCES", "EPERM"]) {
      assert.include(said(code), "Windows denies access")
      assert.notInclude(said(code), "chmod")
    }
  })

  it("[S10] names of variables are the same in any case", () => {
    const ours = { Path: "C:\\ours", SystemRoot: "C:\\Windows" }
    const make = (env: Environment.Options["env"], platform: NodeJS.Platform = "win32") =>
      Environment.make({ env }, ours, platform)
    assert.deepStrictEqual(make({}), ours)
    assert.deepStrictEqual(make({ PATH: "D:\\x" }), { SystemRoot: "C:\\Windows", PATH: "D:\\x" })
    assert.deepStrictEqual(make({ path: null }), { SystemRoot: "C:\\Windows" })
    assert.deepStrictEqual(make({ PATH: "1", path: "2", X: "3" }), { SystemRoot: "C:\\Windows", path: "2", X: "3" })
    assert.deepStrictEqual(make({ PATH: "1", path: "2" }, "linux"), { PATH: "1", path: "2" })
  })
})
