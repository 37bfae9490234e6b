<?php
// The peer of tests/bench: three operations of the contract as a careful PHP developer would write them over SQLite.
// A persistent connection, prepared statements, one statement where one will do, WAL, synchronous = FULL, opcache.
// It refuses what the service refuses, in fewer words, and leaves out what the bench does not send (forms, queries).
declare(strict_types=1);

const STATUSES = [400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden', 404 => 'Not Found', 409 => 'Conflict'];
const AS_IT_IS = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_LINE_TERMINATORS | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR;
const ID_BYTES_MAX = 255;
const TEXT_BYTES_MAX = 65536;
const MEMBERS_MAX = 1000;
const LIMIT_DEFAULT = 25;
const LIMIT_MAX = 1000;

final class Refusal extends Exception
{
    public function __construct(int $code, public readonly string $id, string $detail)
    {
        parent::__construct($detail, $code);
    }
}

function invalid(string $detail): Refusal
{
    return new Refusal(400, 'INVALID_REQUEST', $detail);
}

function now_ns(): int
{
    [$fraction, $seconds] = explode(' ', microtime());
    return (int)$seconds * 1_000_000_000 + (int)substr($fraction, 2) * 10;
}

// RFC 3339 with nine fraction digits.
function time_text(int $ns): string
{
    return gmdate('Y-m-d\TH:i:s', intdiv($ns, 1_000_000_000)) . sprintf('.%09dZ', $ns % 1_000_000_000);
}

function time_ns(mixed $text): int
{
    $pattern = '/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/D';
    $parts = [];
    $seconds = is_string($text) && preg_match($pattern, $text, $parts) ? strtotime($parts[1] . $parts[3]) : false;
    if ($seconds === false) {
        throw invalid('not an RFC 3339 time');
    }
    return $seconds * 1_000_000_000 + (int)str_pad($parts[2], 9, '0');
}

function uuid(): string
{
    $bytes = random_bytes(16);
    $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
    $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
}

// A string of the request's, '' if it is absent.
function string_of(array $request, string $field, int $bytes_max = ID_BYTES_MAX): string
{
    $value = $request[$field] ?? '';
    if (!is_string($value) || strlen($value) > $bytes_max) {
        throw invalid("'$field' must be a string of at most $bytes_max bytes");
    }
    return $value;
}

function number_of(array $request, string $field, int $max): int
{
    $value = $request[$field] ?? 0;
    if (is_string($value) && preg_match('/^\d{1,18}$/D', $value)) {
        $value = (int)$value;
    }
    if (!is_int($value) || $value < 0 || $value > $max) {
        throw invalid("'$field' must be an integer from 0 to $max");
    }
    return $value;
}

function rows(PDO $db, string $sql, array $values): array
{
    $statement = $db->prepare($sql);
    foreach ($values as $index => $value) {
        $statement->bindValue($index + 1, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
    }
    $statement->execute();
    return $statement->fetchAll(PDO::FETCH_NUM); // to the end, which is where a statement that writes commits
}

// Whose token it is: [namespace, account, type].
function caller(PDO $db): array
{
    $header = $_SERVER['HTTP_AUTHORIZATION'] ?? '';
    if (strncasecmp($header, 'Bearer ', 7) === 0) {
        $digest = hash('sha256', substr($header, 7));
        $found = rows($db, 'SELECT namespace, account, type FROM tokens WHERE digest = ? AND expiry > ?', [$digest, time()]);
        if ($found) {
            return $found[0];
        }
    }
    throw new Refusal(401, 'UNAUTHORIZED', 'A valid access token is required');
}

// The number of a chat that the caller may see.
function chat_number(PDO $db, array $caller, string $id): int
{
    [$namespace, $account, $type] = $caller;
    $found = rows($db, 'SELECT number, members FROM chats WHERE namespace = ? AND id = ?', [$namespace, $id]);
    if (!$found || ($type !== 'service' && !in_array($account, json_decode($found[0][1]), true))) {
        throw new Refusal(404, 'NOT_FOUND', 'Chat not found');
    }
    return $found[0][0];
}

function create_chat(PDO $db, array $caller, array $request): array
{
    [$namespace, $account, $type] = $caller;
    $id = string_of($request, 'id');
    $users = $request['user_ids'] ?? [];
    if (!is_array($users) || !array_is_list($users) || count($users) > MEMBERS_MAX) {
        throw invalid("'user_ids' must be a list");
    }
    foreach ($users as $user) {
        if (!is_string($user) || $user === '' || strlen($user) > ID_BYTES_MAX) {
            throw invalid("'user_ids' must be a list of ids");
        }
    }
    sort($users, SORT_STRING);
    $users = array_values(array_unique($users, SORT_STRING));
    if (count($users) < 2) {
        throw new Refusal(400, 'MISSING_USER_IDs', 'Two or more user IDs are required');
    }
    if ($type !== 'service' && !in_array($account, $users, true)) {
        throw new Refusal(403, 'FORBIDDEN', 'a user creates only chats that it is in');
    }
    $members = json_encode($users, AS_IT_IS);
    $chat = rows(
        $db,
        'INSERT INTO chats (namespace, id, members, created_at) VALUES (?, ?, ?, ?)
         ON CONFLICT DO NOTHING RETURNING id, created_at',
        [$namespace, $id === '' ? uuid() : $id, $members, now_ns()]
    ) ?: rows($db, 'SELECT id, created_at FROM chats WHERE namespace = ? AND members = ?', [$namespace, $members]);
    if (!$chat) {
        throw new Refusal(409, 'CHAT_ID_CONFLICT', 'The ID is taken by a chat of other users');
    }
    return ['chat' => ['id' => $chat[0][0], 'user_ids' => $users, 'created_at' => time_text($chat[0][1])]];
}

function message(string $chat_id, string $id, int $sent_at, string $author, string $text): array
{
    return ['id' => $id, 'author_id' => $author, 'chat_id' => $chat_id, 'text' => $text, 'sent_at' => time_text($sent_at)];
}

function send_message(PDO $db, array $caller, array $request): array
{
    [, $account, $type] = $caller;
    $author = string_of($request, 'author_id');
    $chat_id = string_of($request, 'chat_id');
    $text = string_of($request, 'text', TEXT_BYTES_MAX);
    $id = string_of($request, 'id');
    if ($author === '' && $type === 'service') {
        throw new Refusal(400, 'MISSING_AUTHOR_ID', 'Missing Author ID');
    }
    if ($chat_id === '') {
        throw new Refusal(400, 'MISSING_CHAT_ID', 'Missing Chat ID');
    }
    if ($text === '') {
        throw new Refusal(400, 'MISSING_TEXT', 'Missing text');
    }
    $author = $author === '' ? $account : $author;
    $id = $id === '' ? uuid() : $id;
    if ($type !== 'service' && $author !== $account) {
        throw new Refusal(403, 'FORBIDDEN', 'a user writes as itself only');
    }
    $chat = chat_number($db, $caller, $chat_id);
    $stored = rows(
        $db,
        'INSERT INTO messages (chat, sent_at, id, author, text)
         VALUES (?1, max(?2, coalesce((SELECT max(sent_at) FROM messages WHERE chat = ?1), 0) + 1), ?3, ?4, ?5)
         ON CONFLICT (chat, id) DO NOTHING RETURNING sent_at, author, text',
        [$chat, now_ns(), $id, $author, $text]
    ) ?: rows($db, 'SELECT sent_at, author, text FROM messages WHERE chat = ? AND id = ?', [$chat, $id]);
    if ($stored[0][1] !== $author || $stored[0][2] !== $text) {
        throw new Refusal(409, 'MESSAGE_ID_CONFLICT', 'The ID is taken by a message with another author or text');
    }
    return ['message' => message($chat_id, $id, ...$stored[0])];
}

function list_messages(PDO $db, array $caller, array $request): array
{
    $chat_id = string_of($request, 'chat_id');
    if ($chat_id === '') {
        throw new Refusal(400, 'MISSING_CHAT_ID', 'Missing Chat ID');
    }
    $limit = number_of($request, 'limit', LIMIT_MAX) ?: LIMIT_DEFAULT;
    $offset = number_of($request, 'offset', PHP_INT_MAX);
    $order = $request['order'] ?? '';
    if (!in_array($order, ['', 'asc', 'desc'], true)) {
        throw invalid("'order' must be 'asc' or 'desc'");
    }
    $direction = $order === 'asc' ? 'ASC' : 'DESC';
    $before = isset($request['sent_before']) ? time_ns($request['sent_before']) : PHP_INT_MAX;
    $after = isset($request['sent_after']) ? time_ns($request['sent_after']) : 0;
    $found = rows(
        $db,
        "SELECT id, sent_at, author, text FROM messages WHERE chat = ? AND sent_at < ? AND sent_at > ?
         ORDER BY sent_at $direction LIMIT ? OFFSET ?",
        [chat_number($db, $caller, $chat_id), $before, $after, $limit, $offset]
    );
    return ['messages' => array_map(fn ($row) => message($chat_id, ...$row), $found)];
}

function answer(string $operation): array
{
    $db = new PDO('sqlite:' . $_SERVER['PEER_DATABASE'], null, null, [PDO::ATTR_PERSISTENT => true]);
    $caller = caller($db);
    $request = json_decode(file_get_contents('php://input') ?: '{}', true, 16);
    if (!is_array($request)) {
        throw invalid('not a JSON object');
    }
    if ($operation === 'ListMessages') {
        return list_messages($db, $caller, $request);
    }
    $db->exec('PRAGMA synchronous = FULL'); // it is the connection's, and nothing tells a new one from a kept one
    return $operation === 'SendMessage' ? send_message($db, $caller, $request) : create_chat($db, $caller, $request);
}

$path = explode('/', $_SERVER['PATH_INFO'] ?? '');
try {
    $operation = end($path);
    if (!in_array($operation, ['CreateChat', 'SendMessage', 'ListMessages'], true)) {
        throw new Refusal(404, 'UNKNOWN_OPERATION', 'There is no such operation');
    }
    $reply = answer($operation);
} catch (Refusal $refusal) {
    $code = $refusal->getCode();
    http_response_code($code);
    $reply = ['Id' => $refusal->id, 'Code' => $code, 'Detail' => $refusal->getMessage(), 'Status' => STATUSES[$code]];
    if ($code === 401) {
        header('WWW-Authenticate: Bearer');
    }
}
$body = json_encode($reply, AS_IT_IS);
header('Content-Type: application/json');
header('Content-Length: ' . strlen($body));
header('Cache-Control: no-store');
header('X-Content-Type-Options: nosniff');
header('Access-Control-Allow-Origin: *');
echo $body;
