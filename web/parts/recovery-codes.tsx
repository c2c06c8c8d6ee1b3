import { saveFile } from '../navigation.ts'
import { productName } from '../settings.ts'
import { texts } from '../texts/language.ts'
import { CopyButton } from './copy-button.tsx'
import './recovery-codes.css'

/** Shows new codes, once: the service keeps nothing that it could show again. */
export function NewCodes({ codes, onSaved }: { codes: readonly string[]; onSaved: () => void }) {
  const { codes: words } = texts
  const text = `${codes.join('\n')}\n`
  const save = () => saveFile(words.file, new Blob([`${productName}\n${words.list}\n\n${text}`]))
  return (
    <>
      <ul class="codes" aria-label={words.list} translate={false}>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div class="choice unprinted">
        <CopyButton text={text}>{words.copy}</CopyButton>
        <button type="button" class="quiet" onClick={save}>
          {words.download}
        </button>
        <button type="button" class="quiet" onClick={() => print()}>
          {words.print}
        </button>
        <button type="button" class="primary" onClick={onSaved}>
          {words.saved}
        </button>
      </div>
    </>
  )
}
