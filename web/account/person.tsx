import type { User } from '../../client/src/index.ts'
import { texts } from '../texts/language.ts'

/** Whose account it is. Initials rather than the picture: the pages load nothing from other servers. */
export function Person({ user }: { user: User }) {
  const name = [user.first_name, user.last_name].filter(Boolean).join(' ')
  return (
    <div class="person">
      <span class="initials" aria-hidden="true">
        {initialsOf(user)}
      </span>
      <div>
        <h1>{texts.account.title}</h1>
        {name && <p class="long">{name}</p>}
        <p class="soft long">{user.email}</p>
      </div>
    </div>
  )
}

function initialsOf({ first_name: first, last_name: last, email }: User): string {
  const letters = [first, last].map((name) => /\S/u.exec(name ?? '')?.[0] ?? '').join('')
  return (letters || email.charAt(0)).toLocaleUpperCase()
}
