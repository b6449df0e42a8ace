#!/usr/bin/perl

# Requests that nginx itself ends: the access log's status, the books and the
# metrics agree on what was answered and why.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $nobody = 'http://127.0.0.1:' . Gateway::free_port();
my $gw = Gateway->start(
    http => zone() . provider(p => 'mock')
        . provider(nobody => openai => $nobody)
        . "log_format b escape=none '\$status \$ai_proxy_error \$ai_proxy_log';\n",
    access_log => '',
    server => <<'EOC');
access_log %%DIR%%/logs/b.log b;
client_max_body_size 1k;
client_body_timeout 200ms;
lingering_timeout 100ms;
location / { ai_proxy_pass p; }
location /paged/ { ai_proxy_pass p; error_page 413 =200 /page; }
location = /page { return 200 page; }
location /nobody/ { ai_proxy_pass nobody; }
location = /metrics { ai_proxy_metrics; access_log off; }
EOC

my %errors;
my $lines = 0;

# The books of one more request.
sub agree {
    my ($name, $status, $error) = @_;
    $errors{$error}++;
    my ($said, $code, $log) =
        split / /, ($gw->log_lines('b.log', ++$lines))[-1] // '', 3;
    my $books = decode($log // '') // {};
    is("$said $code", "$status $error", "$name: the access log");
    is(join(' ', $books->{status} // '', $books->{error} // ''),
        "$status $error", "$name: the books");
    agree_metrics($name);
}

sub agree_metrics {
    my ($name) = @_;
    my $text = $gw->client->get('/metrics')->{body};
    my %counted;
    $counted{$1} += $2 while $text =~
        /^ai_proxy_errors_total\{[^}]*cause="(\w+)"[^}]*\} (\d+)$/mg;
    is_deeply(\%counted, \%errors, "$name: the metrics") or diag($text);
}

my $path = '/v1/chat/completions';
my $chunk = sprintf "%x\r\n%s\r\n", 800, 'x' x 800;
sub chunked {
    my ($where, @chunks) = @_;
    my $client = $gw->client->send('POST', $where, undef, headers => {
        'Content-Type' => 'application/json',
        'Transfer-Encoding' => 'chunked' });
    $client->write($_) for @chunks;
    return $client;
}

# Found at once, and when more of the body has come.

my $client = chunked($path, $chunk x 2);
check_error($client->finish, 413, undef, 'too large');
agree('too large', 413, 'request_too_large');

$client = chunked("/paged$path", $chunk x 2);
is($client->finish->{body}, 'page', 'too large, with a page');
# The page's location knows nothing of our books.
like(($gw->log_lines('b.log', ++$lines))[-1], qr/^200 /, 'and its status');
$errors{invalid_request}++;
agree_metrics('too large, with a page');

$client = chunked($path, "?\r\n");
check_error($client->finish, 400, undef, 'no chunk');
agree('no chunk', 400, 'invalid_request');

# The body does not come.

$client = chunked($path, $chunk);
$client->finish;
agree('too slow', 408, 'client_closed');

$client = chunked($path, $chunk);
$client->close;
agree('left', 400, 'client_closed');

# A WebSocket whose provider is not there.

$client = $gw->client;
$client->send('GET', '/nobody/v1/realtime?model=m', undef, headers => {
    Connection => 'Upgrade', Upgrade => 'websocket',
    'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version' => 13 });
check_error($client->finish, 502, qr/connect/, 'nobody');
agree('nobody', 502, 'upstream_connect');

done($gw);
