#!/usr/bin/perl

# HTTP/2 and TLS on the client's side, with curl.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Digest::SHA qw(sha256_hex);
use Test::More;

needs_module();

my (undef, $features) = curl('--version');
plan(skip_all => 'curl has no HTTP2') unless $features =~ /HTTP2/;

my $big = 'private-prompt ' . 'x' x 3_000_000;
my $up = Upstream->start(
    tls => 1,
    plain => { json => chat_answer('hello') },
    stream => { events => stream_events('one two three') },
    gate => { events => stream_events('one two three'), gate => 1 },
    claude => { events => claude_events('one two three') },
    broken => { status => 429, headers => [['Retry-After', '7']],
        json => { error => { message => 'slow down', type => 't',
            param => undef, code => undef } } },
    cut => { events => stream_events('one two three'), cut => 2 },
    flood => { repeat => { text => 'data: ' . encode(chunk({
        content => 'x' x 100 })) . "\n\n", times => 20_000,
        end => "data: [DONE]\n\n" } },
);
my $certificates = $up->{certificates};
my @names = qw(plain stream gate claude broken cut flood);
my $gw = Gateway->start(
    http => zone() . "ai_proxy_consumer who { key sk-virtual-1; }\n"
        . join('', map { provider($_ => ($_ eq 'claude'
        ? 'claude' : 'openai') => $up->url($_)) } @names),
    listen => 0, server => <<"EOF" . join '', map {
listen 127.0.0.1:%%PORT%% ssl http2;
ssl_certificate $certificates/server.crt;
ssl_certificate_key $certificates/server.key;
client_max_body_size 16m;
location /who/ { ai_proxy_auth key; ai_proxy_pass plain; }
EOF
        "location /$_/ { ai_proxy_pass $_; }\n" } @names);

push @{ $gw->{secrets} }, 'sk-virtual';
my $base = "https://localhost:$gw->{port}";
my $file = $gw->write_file('body.json', chat_body());
my $stream = $gw->write_file('stream.json',
    chat_body(stream => JSON::PP::true));
my $large = $gw->write_file('large.json', chat_body(messages => [
    { role => 'user', content => $big }]));
my $chat = 'v1/chat/completions';

for my $version ('--http2', '--http1.1') {
    my $call = sub {
        my ($name, $body, @more) = @_;
        return curl($version, '--cacert', $up->ca, '-i', '-H',
            'Content-Type: application/json', '--data-binary', "\@$body",
            @more, "$base/$name/$chat");
    };
    my $protocol = $version eq '--http2' ? 'HTTP/2' : 'HTTP/1.1';

    my ($status, $out) = $call->('plain', $file);
    is($status, 0, "$protocol: a plain request");
    like($out, qr{^\Q$protocol\E 200}, 'has its protocol and status');
    my ($body) = $out =~ /\r\n\r\n(.*)/s;
    is(decode($body)->{choices}[0]{message}{content}, 'hello', 'and body');

    for my $name (qw(stream claude)) {
        ($status, $out) = $call->($name, $stream);
        is($status, 0, "$protocol: $name");
        like($out, qr/content-type: text\/event-stream/i, 'type');
        my $text = join '', $out =~ /"content":"([^"]*)"/g;
        is($text, 'one two three', 'text');
        like($out, qr/data: \[DONE\]\n\n\z/, 'end');
    }

    ($status, $out) = $call->('who', $file);
    like($out, qr{^\Q$protocol\E 401.*^www-authenticate: Bearer }msi,
        "$protocol: no key");
    ($status, $out) = $call->('who', $file, '-H',
        'Authorization: Bearer sk-virtual-1');
    like($out, qr{^\Q$protocol\E 200}, 'a key');
    for my $key (qw(sk-virtual-1 sk-virtual-2)) {
        ($status, $out) = curl($version, '--cacert', $up->ca, '-i',
            '--data-binary', '{"contents":[{"parts":[{"text":"x"}]}]}',
            "$base/who/v1beta/models/g:generateContent?key=$key&x=1");
        like($out, $key =~ /1/ ? qr{^\Q$protocol\E 200.*"candidates"}s
            : qr{^\Q$protocol\E 401.*UNAUTHENTICATED}s, 'a key in the query');
    }
    unlike(encode([$up->requests]), qr/sk-virtual/, 'no provider sees it');

    ($status, $out) = $call->('plain', $large);
    like($out, qr{^\Q$protocol\E 200}m, "$protocol: a large body");
    is($up->last_request('plain')->{sha256},
        sha256_hex(Gateway::slurp($large)), 'arrives whole');

    ($status, $out) = $call->('broken', $file);
    like($out, qr{^\Q$protocol\E 429}, "$protocol: an error status");
    like($out, qr/retry-after: 7/i, 'Retry-After');
    like($out, qr/"message":"slow down"/, 'and message');

    ($status, $out) = $call->('cut', $stream);
    like($out, qr/"error"/, "$protocol: a cut stream has its error event");
    unlike($out, qr/\[DONE\]/, 'and no end');

    ($status, $out) = $call->('flood', $stream);
    my $got = () = $out =~ /"content":"x{100}"/g;
    is($got, 20_000, "$protocol: a long stream is whole");
    is($status, 0, 'and ends well');
}

# An event leaves at once over HTTP/2 too; a reset frees the provider.

open my $pipe, '-|', 'curl', '-sSN', '--http2', '--cacert', $up->ca, '-H',
    'Content-Type: application/json', '--data-binary', "\@$stream",
    "$base/gate/$chat" or die $!;
my $line = readline $pipe;
like($line, qr/one/, 'HTTP/2: an event leaves before the next one is there');
$up->open_gate('gate');
my $rest = do { local $/; readline $pipe };
like($rest, qr/\[DONE\]/, 'and the rest follows');
close $pipe;

my $pid = open $pipe, '-|', 'curl', '-sSN', '--http2', '--cacert', $up->ca,
    '-H', 'Content-Type: application/json', '--data-binary', "\@$stream",
    "$base/gate/$chat" or die $!;
readline $pipe;
kill 'KILL', $pid;
close $pipe;
is($up->wait_outcome('gate', 'client_closed')->{outcome}, 'client_closed',
    'HTTP/2: a client that leaves frees the provider');

done($gw, $up);
