#!/usr/bin/perl

# Stock modules keep working in a location of ours.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use MIME::Base64 qw(encode_base64);
use Test::More;

needs_module();

my $up = Upstream->start(
    plain => { json => chat_answer('hello ' x 200) },
    stream => { events => stream_events('one two three') },
    gate => { events => stream_events('one two three'), gate => 1 },
    auth => { status => 200, body => '' },
    deny => { status => 401, body => '' },
    mirror => { body => 'x' },
    broken => { status => 503, json => { error => { message => 'x' } } },
);
my $gw = Gateway->new;
my $passwords = $gw->write_file('passwords', "user:{PLAIN}word\n");
$gw->configure(
    http => zone() . join('', map { provider($_ => openai => $up->url($_)) }
            qw(plain stream gate broken)) . <<'EOF',
limit_req_zone $binary_remote_addr zone=req:1m rate=1r/m;
limit_conn_zone $binary_remote_addr zone=conn:1m;
log_format l '$request_method $status $bytes_sent $ai_proxy_provider '
             '$upstream_addr $upstream_response_time';
map $ai_proxy_error $failed { default 1; "" 0; }
EOF
    access_log => '',
    server => <<"EOF");
access_log %%DIR%%/logs/access.log l;
access_log %%DIR%%/logs/failed.log l if=\$failed;
location /plain/ { ai_proxy_pass plain; }
location /stream/ { ai_proxy_pass stream; }
location /broken/ { ai_proxy_pass broken; }
location /gzip/ {
    gzip on; gzip_types application/json text/event-stream;
    gzip_min_length 1; gzip_proxied any;
    location /gzip/stream/ { ai_proxy_pass stream; }
    location /gzip/gate/ { ai_proxy_pass gate; }
    ai_proxy_pass plain;
}
location /limited/ { limit_req zone=req; ai_proxy_pass plain; }
location /conn/ { limit_conn conn 1; ai_proxy_pass gate; }
location /denied/ { deny all; ai_proxy_pass plain; }
location /allowed/ { allow 127.0.0.1; deny all; ai_proxy_pass plain; }
location /basic/ {
    auth_basic gateway; auth_basic_user_file $passwords;
    ai_proxy_pass plain;
}
location /auth-ok/ { auth_request /-auth; ai_proxy_pass plain; }
location /auth-no/ { auth_request /-deny; ai_proxy_pass plain; }
location = /-auth {
    internal; proxy_pass http://127.0.0.1:$up->{port}/x-auth;
    proxy_pass_request_body off; proxy_set_header Content-Length "";
}
location = /-deny {
    internal; proxy_pass http://127.0.0.1:$up->{port}/x-deny;
    proxy_pass_request_body off; proxy_set_header Content-Length "";
}
location /header/ {
    add_header X-Provider \$ai_proxy_provider always;
    add_header Access-Control-Allow-Origin * always;
    ai_proxy_pass plain;
}
location /rate/ { limit_rate 100k; ai_proxy_pass plain; }
location /sub/ {
    sub_filter hello HELLO; sub_filter_types application/json;
    sub_filter_once off; ai_proxy_pass plain;
}
location /page/ {
    error_page 503 = /fallback-page; ai_proxy_pass broken;
    location = /page/ok { return 204; }
}
location = /fallback-page { return 200 "page"; }
location /mirrored/ { mirror /-mirror; ai_proxy_pass plain; }
location = /-mirror {
    internal; proxy_pass http://127.0.0.1:$up->{port}/x-mirror;
}
location /methods/ { limit_except POST { deny all; } ai_proxy_pass plain; }
location /buffer/ { client_body_buffer_size 1k; ai_proxy_pass plain; }
location /file/ { client_body_in_file_only clean; ai_proxy_pass plain; }
EOF
$gw->start;

my $text = 'hello ' x 200;
sub chat {
    my ($location, $headers, %fields) = @_;
    return $gw->client->post("/$location/v1/chat/completions",
        chat_body(%fields), headers => $headers // {});
}
my %stream = (stream => JSON::PP::true);

# gzip, through curl that undoes it
my $body = $gw->write_file('body.json', chat_body());
my $stream = $gw->write_file('stream.json', chat_body(%stream));
my $reply = chat('gzip', { 'Accept-Encoding' => 'gzip' });
is(Client::header($reply, 'Content-Encoding'), 'gzip', 'gzip compresses');
my ($status, $out) = curl('--compressed', '-d', "\@$body", '-H',
    'Content-Type: application/json',
    $gw->url('/gzip/v1/chat/completions'));
is(decode($out)->{choices}[0]{message}{content}, $text, 'a plain answer');
($status, $out) = curl('--compressed', '-d', "\@$stream", '-H',
    'Content-Type: application/json',
    $gw->url('/gzip/stream/v1/chat/completions'));
like($out, qr/one.*two.*three.*\[DONE\]\n\n\z/s, 'and a stream');
open my $pipe, '-|', 'curl', '-sSN', '--compressed', '-d', "\@$stream", '-H',
    'Content-Type: application/json',
    $gw->url('/gzip/gate/v1/chat/completions') or die $!;
my $line = readline $pipe;
like($line, qr/one/, 'each event is flushed through gzip');
$up->open_gate('gate');
1 while defined readline $pipe;
close $pipe;

# access
is(chat('limited')->{status}, 200, 'limit_req lets one through');
is(chat('limited')->{status}, 503, 'and stops the next');
is(chat('denied')->{status}, 403, 'deny');
is(chat('allowed')->{status}, 200, 'allow');
is(chat('basic')->{status}, 401, 'auth_basic without password');
is(chat('basic', { Authorization => 'Basic '
    . encode_base64('user:word', '') })->{status}, 200, 'and with it');
is(chat('auth-ok')->{status}, 200, 'auth_request that says yes');
is(Client::text(chat('auth-ok')), $text, 'the body is still there');
is(chat('auth-no')->{status}, 401, 'auth_request that says no');
is($gw->client->get('/methods/v1/models')->{status}, 403, 'limit_except');

my $held = $gw->client->send('POST', '/conn/v1/chat/completions',
    chat_body(%stream));
$held->wait(sub { $_[0]{body} =~ /one/ }, 20);
is(chat('conn')->{status}, 503, 'limit_conn counts a running stream');
$up->open_gate('gate');
check_stream($held->finish, 'one two three', 'which goes on');

# Refusals of stock modules have the shape of the caller's dialect.
$reply = chat('denied');
like($reply->{body}, qr/^\s*\{"error"/, 'a refusal is JSON')
    or diag($reply->{body});

# filters
$reply = chat('header');
is(Client::header($reply, 'Access-Control-Allow-Origin'), '*', 'add_header');
is(Client::header($reply, 'X-Provider'), 'plain', 'with our variable');
is(Client::text(chat('rate')), $text, 'limit_rate');
is(Client::text(chat('sub')), 'HELLO ' x 200, 'sub_filter');
like(chat('page')->{body}, qr/"error"/,
    'error_page leaves answers of a provider alone, as with proxy_pass');
is(Client::text(chat('mirrored')), $text, 'mirror');
is(Client::text(chat('buffer', {}, user => 'x' x 5000)), $text,
    'a small client_body_buffer_size');
is(length decode($up->last_request('plain')->{body})->{user}, 5000,
    'loses nothing');
is(Client::text(chat('file', {}, user => 'x' x 5000)), $text,
    'client_body_in_file_only');

# the log
$reply = chat('plain');
my $bytes = length $reply->{raw};
my @lines;
# A line is written after its answer was read: the last may be another's.
$gw->until(sub {
    @lines = grep { /^POST 200 $bytes / } $gw->log_lines('access.log') });
like($lines[-1] // '', qr/ plain 127\.0\.0\.1:$up->{port} \d\.\d+$/,
    'access_log with $bytes_sent, $upstream_addr, $upstream_response_time');
chat('broken');
my @failed = $gw->log_lines('failed.log', 1);
is(scalar(grep { !/ 503 | 4\d\d / } @failed), 0,
    'a condition on our variable');

done($gw, $up);
