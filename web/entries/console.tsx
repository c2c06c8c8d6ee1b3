import '../console/console.css'
import { Console } from '../console/console.tsx'
import { loadWords } from '../console/texts/words.ts'
import { start } from '../start.tsx'

await start(Console, loadWords)
