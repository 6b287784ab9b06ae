<?php
// Overwrites a session's file in place, by one write. PHP's own handler truncates the file first (mod_files.c,
// ps_files_write): a server that loses power in between leaves empty sessions. A line break ends the data; zeros follow
// up to the end of the file. The data is on the disks before PHP answers.
//
// A brick that loses power has either all of one write or nothing of it, unless the write makes the file longer. XFS
// stores the data first, and afterwards the length and which blocks hold data: the brick of a power loss in between has
// the new data cut off at the old length, and PHP destroys a session that it cannot decode. So a file gets zeros for
// whole blocks first, and then its data.
//
// A page whose session cannot be read or written is answered 503. PHP's own handler answers as if all was well: with a
// new session when it cannot find the old one, and with a change that is not stored.

namespace HaWordPress\Sessions;

const BLOCK = 4096;
const ENOENT = 2;

final class InPlace extends \SessionHandler implements \SessionUpdateTimestampHandlerInterface
{
    public function read(string $id): string|false
    {
        $stored = parent::read($id);
        if ($stored === false) {
            // exit keeps PHP from calling it, and the lock of the file would stay
            parent::close();
            unavailable();
            exit;
        }
        return substr(rtrim($stored, "\0"), 0, -1);
    }

    public function write(string $id, string $data): bool
    {
        // the parent handler already holds the file open and locked
        $file = fopen(path($id), 'r+');
        $size = $file ? fstat($file)['size'] : 0;
        $length = max($size, BLOCK * (intdiv(strlen($data), BLOCK) + 1));
        $written = $file &&
            ($size === $length || store($file, $size, str_repeat("\0", $length - $size))) &&
            store($file, 0, str_pad("$data\n", $length, "\0")) &&
            fclose($file);
        // While a brick is away, GlusterFS marks its copy as outdated when the file is closed. If all nodes lost power
        // before the mark is on the disks, the outdated copy could be read again.
        $marked = $written && ($file = fopen(path($id), 'r+')) && fsync($file) && fclose($file);
        if (!$marked) {
            unavailable();
        }
        return $marked;
    }

    // An invalid identifier gets a new session. Only one without a file is invalid: while the brick with the newest copy
    // of a file is away, every call on the file fails with ENOTCONN.
    public function validateId(string $id): bool
    {
        return preg_match('/^[a-zA-Z0-9,-]+$/D', $id) &&
            (posix_access(path($id)) || posix_get_last_error() !== ENOENT);
    }

    public function updateTimestamp(string $id, string $data): bool
    {
        return touch(path($id));
    }
}

function path(string $id): string
{
    return session_save_path() . "/sess_$id";
}

// Writes bytes to a file, from an offset on; they are on the disks when it returns.
function store($file, int $offset, string $bytes): bool
{
    return fseek($file, $offset) === 0 && fwrite($file, $bytes) === strlen($bytes) && fsync($file);
}

// Replaces the answer by a status of 503, unless a part of it is on its way.
function unavailable(): void
{
    if (!headers_sent()) {
        while (ob_get_level() && ob_end_clean());
        http_response_code(503);
        header('Retry-After: 5');
        header('Cache-Control: no-store');
        echo "Sessions are not available for the moment.\n";
    }
}

session_set_save_handler(new InPlace());
