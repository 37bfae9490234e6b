// node client.js ADDRESS ID SECRET AUTHOR OTHER: a client of the service whose description lies at ADDRESS. All it knows
// of the service it has from there: its types are openapi-typescript's, its calls openapi-fetch's, and where to send them
// the description says. It logs in as ID, makes a chat of AUTHOR and OTHER, writes three messages as AUTHOR and reads
// them. Prints what it got, as JSON; any surprise is an exception.
//
// Each "@ts-expect-error" is a mistake that the compiler has to see: it refuses this file where it does not.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

type Message = components["schemas"]["Message"];
type NewMessage = paths["/Chats/SendMessage"]["post"]["requestBody"]["content"]["application/json"];

function demand<T>(value: T | undefined, what: string): T {
    if (value === undefined) {
        throw new Error(`${what} is missing`);
    }
    return value;
}

function argument(number: number): string {
    return demand(process.argv[1 + number], `argument ${number}`);
}

const address = argument(1);
const id = argument(2);
const secret = argument(3);
const author = argument(4);
const other = argument(5);

const description = (await (await fetch(address)).json()) as { servers: { url: string }[] };
const server = demand(description.servers[0], "the server");
const client = createClient<paths>({ baseUrl: new URL(server.url, address).href });

async function logIn(): Promise<void> {
    const { data, error } = await client.POST("/Auth/Token", { body: { id, secret, token_expiry: 600 } });
    if (error !== undefined) {
        throw new Error(`${error.Id}: ${error.Detail}`);
    }
    const token: string = data.token.access_token;
    client.use({
        onRequest({ request }) {
            request.headers.set("Authorization", `Bearer ${token}`);
            return request;
        },
    });
}

async function send(chat_id: string, message_id: string, text: string): Promise<Message> {
    const { data, error } = await client.POST("/Chats/SendMessage", {
        body: { id: message_id, chat_id, author_id: author, text },
    });
    if (error !== undefined) {
        throw new Error(`${error.Id}: ${error.Detail}`);
    }
    return data.message;
}

// What is refused is typed, too: only the errors that the operation has.
async function sendNowhere(): Promise<string> {
    const { data, error, response } = await client.POST("/Chats/SendMessage", {
        body: { chat_id: "there is no such chat", author_id: author, text: "hello?" },
    });
    if (data !== undefined || error.Id !== "NOT_FOUND" || error.Code !== response.status) {
        throw new Error("a message was sent nowhere");
    }
    // @ts-expect-error: no error of this name is one of SendMessage's
    const impossible: boolean = error.Id === "ACCOUNT_EXISTS";
    return impossible ? "" : error.Detail;
}

async function list(chat_id: string): Promise<{ newest: Message[]; oldest: Message[] }> {
    const byPost = await client.POST("/Chats/ListMessages", { body: { chat_id, limit: 2 } });
    const byGet = await client.GET("/Chats/ListMessages", { params: { query: { chat_id, order: "asc" } } });
    return {
        newest: demand(byPost.data, "the newest page").messages,
        oldest: demand(byGet.data, "the oldest page").messages,
    };
}

// Never run: for the compiler.
export async function mistakes(chat_id: string): Promise<void> {
    // @ts-expect-error: the text is missing
    await client.POST("/Chats/SendMessage", { body: { chat_id } });
    // @ts-expect-error: a text is a string
    await client.POST("/Chats/SendMessage", { body: { chat_id, text: 7 } });
    // @ts-expect-error: there is no such field
    const painted: NewMessage = { chat_id, text: "hello", colour: "red" };
    await client.POST("/Chats/SendMessage", { body: painted });
    // @ts-expect-error: there is no such order
    await client.POST("/Chats/ListMessages", { body: { chat_id, order: "down" } });
    // @ts-expect-error: a GET does not write
    await client.GET("/Chats/SendMessage", { params: { query: { chat_id, text: "hello" } } });
    // @ts-expect-error: there is no such operation
    await client.POST("/Chats/DeleteChat", { body: { chat_id } });
    const { data } = await client.POST("/Chats/CreateChat", { body: { user_ids: ["a", "b"] } });
    // @ts-expect-error: a chat has no name
    console.log(data?.chat.name);
}

await logIn();
const created = await client.POST("/Chats/CreateChat", { body: { user_ids: [other, author] } });
const chat = demand(created.data, "the chat").chat;
const sent: Message[] = [];
for (const [message_id, text] of [["one", "Hello!"], ["two", "Grüße 🙂"], ["three", 'a "quoted"\nline']] as const) {
    sent.push(await send(chat.id, message_id, text));
}
const again = await send(chat.id, "one", "Hello!");
const refused = await sendNowhere();
console.log(JSON.stringify({ chat, sent, again, refused, ...(await list(chat.id)) }));
