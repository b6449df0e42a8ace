#!/usr/bin/perl

# A file that a provider keeps goes into each chat; it is fetched once.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $file = { json => { content => "what the \"file\" says", file_type => 'x',
    filename => 'a.txt', title => '', type => 'file' } };
my $gone = { status => 404, json => { error => { message => 'no such file',
    type => 'resource_not_found_error' } } };
my $chat = { json => chat_answer('hi') };
my $up = Upstream->start(
    kimi => [$file, $chat],
    gone => $gone,
    back => [$gone, $file, $chat],
    empty => { json => { content => '' } },
    stream => [$file, { events => stream_events('one two') }],
    keys => { by_key => { 'sk-first-key' => { status => 401,
        json => { error => { message => 'bad key' } } },
        'sk-second-key' => $file } },
    other => $chat,
);
my @names = qw(kimi gone back empty stream);
my $gw = Gateway->start(
    http => zone()
        . join('', map { provider($_ => moonshot => $up->url($_),
            'moonshot_file_id f-12;') } @names)
        . provider(other => openai => $up->url('other'))
        . "ai_proxy_route saved { provider gone; fallback other on=4xx,5xx; }\n"
        . "log_format tries '\$ai_proxy_tries';\n",
    access_log => '',
    server => "access_log %%DIR%%/logs/access.log tries;\n"
        . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
            @names, 'saved');

sub ask { return $gw->client->post("/$_[0]/v1/chat/completions",
    chat_body(@_[1 .. $#_])) }
sub seen { return map { "$_->{method} " . $_->{target} =~ s/^\/x-\w+//r }
    $up->requests($_[0]) }

is(Client::text(ask('kimi')), 'hi', 'a chat') or $gw->show_logs;
is_deeply([seen('kimi')], ['GET /v1/files/f-12/content',
    'POST /v1/chat/completions'], 'the file is fetched first');
my ($fetch, $sent) = $up->requests('kimi');
is(Upstream::header($fetch, 'Authorization'), 'Bearer sk-secret-kimi',
    'with the key of the provider');
is_deeply(decode($sent->{body})->{messages}, [
    { role => 'system', content => 'what the "file" says' },
    { role => 'user', content => 'private-prompt hello' }], 'and is there');
ask('kimi') for 1 .. 2;
is(scalar(grep { /^GET/ } seen('kimi')), 1, 'once');
$gw->client->get('/kimi/v1/models');
is((seen('kimi'))[-1], 'GET /v1/models', 'other calls need no file');
$gw->client->post('/kimi/v1/messages', chat_body(max_tokens => 9));
unlike($up->last_request('kimi')->{body}, qr/file/,
    'nor do those that are relayed to another API');

check_stream(ask('stream', stream => JSON::PP::true), 'one two',
    'before a stream');
check_error(ask('gone'), 404, qr/no such file/, 'no file, no chat');
is(Client::text(ask('saved')), 'hi', 'another provider stands in');
is(ask('back')->{status}, 404, 'a file that comes later');
is(Client::text(ask('back')), 'hi', 'is fetched then');
check_error(ask('empty'), 502, qr/no content/, 'one without text');
my @lines = $gw->log_lines('access.log', 11);
like($lines[-1], qr/^empty:0:upstream_invalid:/, 'the log says why');

my $bad = Gateway->new(http => provider(kimi => moonshot => $up->url('kimi'),
    'moonshot_file_id f;', 'context_file context.txt;'),
    server => 'location / { ai_proxy_pass kimi; }');
$bad->write_file('conf/context.txt', 'a text');
my ($status, $said) = $bad->check;
is($status, 1, 'two contexts');
like($said, qr/"moonshot_file_id" and "context_file" exclude each other/,
    'exclude each other');

done($gw, $up);
