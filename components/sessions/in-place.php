<?php
// Overwrites a session's file in place, by one write. PHP's own handler truncates the file first (mod_files.c,
// ps_files_write): a server that loses power in between leaves empty sessions. A brick has either all of one write or
// nothing of it. A line break ends the data; zeros follow when the old data was longer. The data is on the disks before
// PHP answers.
//
// A page whose session cannot be read or written is answered 503. PHP's own handler answers as if all was well: with a
// new session when it cannot find the old one, and with a change that is not stored.

namespace HaWordPress\Sessions;

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
        $new = $file ? str_pad("$data\n", fstat($file)['size'], "\0") : '';
        $written = $file && fwrite($file, $new) === strlen($new) && fsync($file) && fclose($file);
        if (!$written) {
            unavailable();
        }
        return $written;
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
