import { assert, describe, it } from "vitest"
import * as ContainerCommand from "../src/ContainerCommand.js"

const parse = (line: string, platform: NodeJS.Platform = "linux") => {
  const [command = "", ...args] = line.split(" ")
  return ContainerCommand.parse(command, args, platform)
}

describe("a command that runs a container", () => {
  it("[S11:unit] gets its label directly after run, and is the same otherwise", () => {
    for (
      const [line, expected, engine] of [
        ["docker run -i --rm image a", "run LABEL -i --rm image a", "docker"],
        ["docker container run -i image", "container run LABEL -i image", "docker"],
        ["/usr/bin/podman run -i image run", "run LABEL -i image run", "/usr/bin/podman"],
        ["nerdctl -n k8s.io run -i image", "-n k8s.io run LABEL -i image", "nerdctl -n k8s.io"],
        [
          "docker --context run -H=x -D run -i image",
          "--context run -H=x -D run LABEL -i image",
          "docker --context run -H=x -D"
        ],
        ["docker compose -f run run app", "compose -f run run LABEL app", "docker"],
        ["podman --remote compose run app", "--remote compose run LABEL app", "podman --remote"],
        ["docker-compose -p run run --rm app", "-p run run LABEL --rm app", "docker"],
        ["podman-compose run app", "run LABEL app", "podman"]
      ] as const
    ) {
      const found = parse(line)
      assert.isDefined(found, line)
      assert.strictEqual(
        ContainerCommand.labelled(found!, "x").join(" "),
        expected.replace("LABEL", "--label mcp-lifeline.run=x")
      )
      assert.strictEqual(found?.engine.join(" "), engine)
    }
  })

  it("[S11:unit] others are left as they are", () => {
    for (
      const line of [
        "docker",
        "docker exec -i box server",
        "docker start -ai box",
        "docker mcp gateway run",
        "docker compose up run",
        "docker --context run",
        "docker container ls run",
        "mydocker run image",
        "npx docker run image",
        "docker.exe run image",
        "Docker run image"
      ]
    ) {
      assert.isUndefined(parse(line), line)
    }
  })

  it("[S11:unit] on Windows programs have extensions, backslashes and any case", () => {
    for (const program of ["docker", "Docker.EXE", "C:\\bin\\docker.exe", "C:/bin/podman.cmd"]) {
      assert.deepStrictEqual(parse(`${program} run -i image`, "win32")?.engine, [program])
    }
  })

  it("[S11:unit] whether the server can read, and whether volumes go, is in the options before the image", () => {
    for (
      const [options, interactive, rm] of [
        ["-i image", true, false],
        ["-it --rm image", true, true],
        ["--interactive=true --rm=false image", true, false],
        ["--interactive=false image", false, false],
        ["image -i --rm", false, false],
        ["-v /i:/i image -i", false, false],
        ["-e i -eI=i --name=i --network -i image", false, false],
        ["-dieA=b image", true, false],
        ["-ie A=b image", true, false],
        ["--env A --init -i image", true, false],
        ["-e A=b -e C -- -i", false, false],
        ["", false, false]
      ] as const
    ) {
      assert.deepInclude(parse(`docker run ${options}`), { interactive, rm }, options)
    }
    assert.deepInclude(parse("docker compose run app"), { interactive: true })
  })
})
