// Prints the error codes of the pinned better-auth package, `{CODE: message}`; codes.json is its committed output,
// which the Rust tests compare with our own list.
import { BASE_ERROR_CODES } from 'better-auth';

console.log(JSON.stringify(Object.fromEntries(Object.values(BASE_ERROR_CODES).map(({ code, message }) => [code, message])), null, 2));
