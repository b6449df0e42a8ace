#!/usr/bin/perl

# Keys come from the environment and from files, read by the master alone; no
# key, prompt or answer is in any log, header, page or error.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    tls => 1,
    ok => { json => chat_answer('private-answer') },
    stream => { events => stream_events('private-answer two') },
    broken => { status => 401, json => { error => { message =>
        'Incorrect API key provided', type => 'invalid_request_error',
        param => undef, code => 'invalid_api_key' } } },
    cut => { events => stream_events('private-answer two'), cut => 1 },
    garbage => { fail => 'garbage' },
);
my $file = File::Temp->new;
print $file "sk-secret-from-file\n";
close $file;
chmod 0600, "$file";

my $http = zone()
    . provider(from_env => openai => $up->url('ok'),
        'api_token env:AI_PROXY_TEST_KEY;')
    . provider(from_file => openai => $up->url('ok'),
        "api_token file:$file;")
    . provider(pool => openai => $up->url('ok'), 'api_token sk-secret-1;',
        'api_token sk-secret-2;', 'api_token sk-secret-3;')
    . provider(header => openai => $up->url('ok'),
        'set_header X-Own sk-secret-header;')
    . provider(anonymous => openai => $up->url('ok'), 'api_token none;')
    . 'ai_proxy_provider client { type openai; base_url ' . $up->url('ok')
    . "; }\n"
    . join('', map { provider($_ => openai => $up->url($_)) }
        qw(stream broken cut garbage))
    . provider(untrusted => claude => $up->tls_url('ok'))
    . "log_format all '\$request|\$ai_proxy_log|\$ai_proxy_tries';\n";
my @names = $http =~ /ai_proxy_provider (\w+) \{/g;
my $gw = Gateway->start(
    http => $http, env => { AI_PROXY_TEST_KEY => 'sk-secret-from-env' },
    access_log => '', log_level => 'info',
    server => "access_log %%DIR%%/logs/access.log all;\n"
        . "location = /metrics { ai_proxy_metrics; }\n"
        . "location = /status { ai_proxy_status; }\n"
        . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" } @names);
push @{ $gw->{secrets} }, 'private-answer', 'sk-client';

my @replies;
sub chat {
    my ($name, %fields) = @_;
    my $reply = $gw->client->post("/$name/v1/chat/completions",
        chat_body(%fields), headers =>
            { Authorization => 'Bearer sk-client-key' });
    push @replies, $reply;
    return $reply;
}
sub key { return Upstream::header($up->last_request('ok'), 'Authorization') }

chat('from_env');
is(key(), 'Bearer sk-secret-from-env', 'a key of the environment');
chat('from_file');
is(key(), 'Bearer sk-secret-from-file', 'a key of a file, without its newline');
chat('header');
is(Upstream::header($up->last_request('ok'), 'X-Own'), 'sk-secret-header',
    'a header of the operator');

my %seen;
for (1 .. 40) {
    chat('pool');
    $seen{ key() }++;
}
is(join(' ', sort keys %seen), join(' ', map { "Bearer sk-secret-$_" } 1 .. 3),
    'all keys of a pool are used');

chat('anonymous');
is(key(), undef, 'no key is sent when none is wanted');
chat('client');
is(key() // '', 'Bearer sk-client-key',
    "without a key of ours the client's goes on");

# An unprivileged worker cannot read the file; it does not have to.
$gw->reload;
chat('from_file');
is(key(), 'Bearer sk-secret-from-file', 'after a reload too');

chat($_, stream => JSON::PP::true) for qw(stream broken cut garbage untrusted);
$gw->client->post('/stream/v1/chat/completions',
    '{"model":"m","messages":[{"role":"robot","content":"private-prompt"}]}');
$gw->client->post('/stream/v1/chat/completions',
    '{"private-prompt":');
push @replies, $gw->client->get('/metrics'), $gw->client->get('/status');

is(scalar(grep { $_->{raw} =~ /sk-secret/ } @replies), 0,
    'no key in any answer');
is(scalar(grep { $_->{raw} =~ /sk-client/ } @replies), 0,
    "nor the client's");

# Workers do not keep what they need not.
my ($worker) = $gw->workers;
SKIP: {
    skip 'the environment is not readable', 1
        unless open my $env, '<', "/proc/$worker/environ";
    local $/;
    unlike(readline($env) // '', qr/sk-secret/,
        "the key is not in the worker's environment");
}

# What is missing fails the start, in words, without the secret.

for my $case (
    ['env:AI_PROXY_TEST_MISSING', qr/"AI_PROXY_TEST_MISSING" is not set/],
    ['file:/no/such/file', qr{"/no/such/file"}],
    ['file:/dev/null', qr/empty/],
) {
    my ($status, $said) = Gateway->start_fails(
        http => provider(p => openai => $up->url('ok'),
            "api_token $case->[0];"),
        server => 'location / { ai_proxy_pass p; }');
    isnt($status, 0, "$case->[0] fails the start");
    like($said, qr/\[emerg\].*$case->[1]/, 'and says why');
    unlike($said, qr/sk-secret/, 'without a secret');
}

my $two = File::Temp->new;
print $two "sk-secret-line1\nline2\n";
close $two;
my ($status, $said) = Gateway->start_fails(
    http => provider(p => openai => $up->url('ok'), "api_token file:$two;"),
    server => 'location / { ai_proxy_pass p; }');
isnt($status, 0, 'a file of two lines is no key');
unlike($said, qr/sk-secret|line2/, 'and is not shown');

done($gw, $up);
