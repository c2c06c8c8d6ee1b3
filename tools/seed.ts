import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { demoAdmin } from './demo/demo-admin.ts'
import { ensureDevVars } from './dev/dev-vars.ts'
import { readLocalServer } from './dev/settings.ts'
import { applyLocalMigrations, isMigrated } from './dev/database.ts'
import { readSeedArguments } from './seed/arguments.ts'
import { replaceSeeded } from './seed/database.ts'
import { putHistory } from './seed/histories.ts'
import { originsOf } from './seed/origins.ts'
import { hashForEverybody } from './seed/password.ts'
import { knownPeople, personAt } from './seed/people.ts'
import { Random } from './seed/random.ts'
import { command } from './command.ts'
import { showProgress } from './progress.ts'
import { projectRoot } from './wrangler.ts'

/** `npm run seed`: fills the database of this machine with sample users and their histories. */
await command(async () => {
  const { users, seed } = readSeedArguments(process.argv.slice(2))
  const server = readLocalServer(process.env)
  const devVarsPath = join(projectRoot, '.dev.vars')
  ensureDevVars(devVarsPath)
  mkdirSync(server.stateDir, { recursive: true, mode: 0o700 })
  if (!isMigrated(server.stateDir)) console.log('Applying the migrations to the local database …')
  await applyLocalMigrations(server.stateDir, new AbortController().signal)
  const passwordHash = hashForEverybody(demoAdmin.password, devVarsPath)

  const startedAt = Date.now()
  const left: string[] = []
  let written = 0
  replaceSeeded(server.stateDir, ({ put, isTaken, numberOf }) => {
    const origins = originsOf(numberOf)
    const random = new Random(seed)
    const progress = showProgress('Seeding', users)
    let adminId = ''
    for (let place = 0; place < users; place++) {
      progress.update(place)
      const person = personAt(place, random, startedAt)
      if (place === 0) adminId = person.id
      // An account that was not seeded stays unchanged.
      if (isTaken(person.email)) {
        left.push(person.email)
        continue
      }
      putHistory({ random, nowMs: startedAt, passwordHash, adminId, origins, put }, person)
      written += 1
    }
    progress.end()
  })
  console.log(`Seeded ${written} users in ${((Date.now() - startedAt) / 1000).toFixed(1)} s, into ${server.stateDir}`)
  for (const email of left) console.log(`${email} was there before and keeps its own password and role.`)
  const signIns = knownPeople.filter(({ email }) => !left.includes(email))
  for (const { email, role } of signIns) console.log(`  ${role.padEnd(9)}  ${email}`)
  console.log(`The password of every seeded user is ${demoAdmin.password}`)
})
