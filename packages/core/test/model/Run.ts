import type { Command } from "./Commands.js"
import { idleRelease, type Setting, World } from "./World.js"

const perform = (world: World, command: Command): void => {
  switch (command.do) {
    case "lose":
      return world.lose(command.kind, command.age)
    case "script":
      return world.next(command.outcome)
    case "command":
      return world.command(command.command, command.interrupt)
    case "call":
      return world.call(command.budget, command.reads)
    case "interruptCall":
      return world.interruptCall(command.index)
    case "mode":
      return world.mode(command.mode)
    case "forget":
      return world.forget(command.at, command.times, command.words ?? "known")
    case "refuse":
      world.refuse(command)
      return command.call === true ? world.call(2000) : undefined
    case "keepForgetting":
      world.command("Enable", false)
      world.sim.advance(10)
      world.mode("ok")
      for (let times = 0; times < command.times; times++) {
        world.forget(0, 1, command.words)
        world.call(2000)
        world.sim.advance(20)
      }
      return world.atRest()
    case "listsChanged":
      for (let times = 1; times < (command.times ?? 1); times++) {
        world.notify()
        world.sim.advance(1)
      }
      return world.notify()
    case "ask":
      return world.ask(command.what)
    case "look":
      return world.look()
    case "pause":
      return world.pause(command.paused)
    case "advance":
      world.sim.advance(command.millis)
      return world.atRest()
    case "step":
      return world.run(command.tasks)
    case "fire":
      return world.fire()
    case "race":
      world.fire()
      world.run(command.tasks)
      if (command.command === "Shutdown") world.shutdown()
      else if (command.command === "Call") world.call(60_000)
      else world.command(command.command, false)
      return world.run(command.more)
    case "replace":
      world.mode("late")
      world.notify()
      world.call(60_000)
      world.ask("refresh")
      world.sim.runUntilIdle()
      // The next connection answers before the old one does.
      if (command.quick) world.mode("ok")
      world.command("Reconnect", false)
      world.sim.advance(10)
      if (command.lose) world.lose("closed", 1)
      return
    case "loseSlowly":
      world.next({ close: 3000 })
      world.command("Reconnect", false)
      world.sim.advance(10)
      world.lose("closed", 0)
      world.sim.runUntilIdle()
      world.command(command.command, false)
      world.sim.advance(1)
      return world.atRest()
    case "loseForGood":
      for (let i = 0; i < 5; i++) world.next({ connect: "fail", error: { permanent: true } })
      world.lose("closed", 0)
      world.sim.advance(400_000)
      return world.atRest()
    case "callForGood":
      for (let i = 0; i < 5 + command.calls; i++) {
        world.next({ connect: "fail", error: { permanent: true, retryAfter: i < 4 ? undefined : command.retryAfter } })
      }
      world.lose("closed", 0)
      world.sim.advance(100_000)
      for (let i = 0; i < command.calls; i++) {
        world.call(2000)
        world.sim.advance(command.gap)
      }
      return world.atRest()
    case "suspend":
      world.command("Enable", false)
      world.sim.advance(10)
      world.mode("late")
      world.call(60_000)
      world.sim.runUntilIdle()
      if (command.late) world.next({ after: 40_000, stubborn: true, offered: command.offered })
      world.next({ after: 5, offered: command.offered })
      world.lose("closed", 0)
      world.sim.advance(command.late ? 60_000 : 2000)
      return world.atRest()
    case "wedge":
      world.mode("hang")
      world.call(command.giveUp === true ? 60_000 : 10)
      world.sim.advance(command.millis)
      if (command.giveUp === true) {
        world.giveUp()
        world.sim.advance(15_000)
      }
      if (command.again !== undefined && command.again !== false) {
        world.call(60_000, command.again === "reads")
        world.sim.runUntilIdle()
      }
      return world.atRest()
    case "silence":
      world.command("Enable", false)
      world.sim.advance(10)
      world.mode("ok")
      if (command.concurrent) {
        world.mode("late")
        world.call(60_000)
        world.sim.runUntilIdle()
        world.mode("ok")
        world.call(60_000)
        world.sim.advance(9000)
        world.atRest()
      }
      world.mode(command.doing)
      world.call(command.patience)
      world.sim.advance(command.millis)
      return world.atRest()
    case "useAsReleased":
      world.command("Enable", false)
      world.sim.advance(10)
      world.mode("ok")
      world.call(10)
      world.sim.advance(idleRelease - 1)
      world.mode("slow")
      world.fire()
      world.runUntilUnused()
      world.run(command.tasks)
      return world.call(60_000)
    case "closeAsItConnects":
      if (command.lost) {
        world.lose("closed", 0)
        world.sim.runUntilIdle()
      } else {
        world.command("Reconnect", false)
        world.sim.advance(4)
      }
      world.fire()
      world.run(command.tasks)
      return world.shutdown()
    case "shutdown":
      return world.shutdown()
  }
}

export const run = ([setting, commands]: [Setting, ReadonlyArray<Command>], log?: Array<string>): World => {
  const world = new World(setting, log)
  try {
    for (const command of commands) {
      world.note(() => JSON.stringify(command))
      perform(world, command)
      if (world.faults.length > 0) return world
    }
    world.end()
  } catch (error) {
    // A livelock, for example.
    world.fault(String(error))
  }
  return world
}
