/** What the lists can be filtered by. The filters are in the address. */
import { useEffect } from 'preact/hooks'
import { TextField } from '../parts/fields.tsx'
import { firstPage } from './pager.tsx'
import { type Route, currentRoute, go } from '../parts/route.ts'
import { words } from './texts/words.ts'

/** Changes one filter, and goes to the first page: a cursor belongs to the list as it was filtered. */
export function filterBy(name: string, value: string, isReplacing = false): void {
  go({ ...firstPage(currentRoute()), [name]: value }, { isReplacing })
}

/** The value of a filter, if it is one of its options. Any other is removed from the address. */
export function useChoice(route: Route, name: string, options: Readonly<Record<string, string>>): string {
  const value = new Map(Object.entries(route)).get(name) ?? ''
  const isKnown = value === '' || Object.hasOwn(options, value)
  useEffect(() => {
    if (!isKnown) filterBy(name, '', true)
  }, [isKnown])
  return isKnown ? value : ''
}

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

export function isUserId(text: string): boolean {
  return uuid.test(text)
}

/** Takes the id of a user. Anything else is an error at the field, and then there is no list to show. */
export function UserIdFilter({ value }: { value: string }) {
  return (
    <TextField
      key={value}
      label={words.userId}
      hint={words.userIdHint}
      error={value === '' || isUserId(value) ? undefined : words.userIdWrong}
      name="user_id"
      autoComplete="off"
      autoCapitalize="none"
      spellcheck={false}
      defaultValue={value}
      onChange={({ currentTarget }) => filterBy('user_id', currentTarget.value.trim())}
    />
  )
}
